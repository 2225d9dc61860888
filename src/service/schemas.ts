import { z } from 'zod';
import type { AgentSnapshot, SpeechSnapshot } from '../agent/snapshot.js';
import type { LiveLatency } from '../audio/latency.js';
import type { Speech, SpeechEnd } from '../speech/speech.js';
import { ProblemSchema, toProblem } from './problem.js';

/*
 * Schemas of the API's answers, used for the types, the validation of answers and the reference. Fields are only ever
 * added. Unknown values are null, so that a field always exists.
 */

/** Rounds milliseconds for display to one decimal. */
export function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10;
}

const nullableMs = z.number().nullable();

/** Age of live sound when it was sent. */
export const LatencySchema = z
  .object({
    from: z
      .enum(['capture', 'arrival'])
      .describe('Counted from when it was captured, or from when it came to the service.'),
    p50Ms: z.number(),
    maxMs: z.number(),
  })
  .describe('The age of the oldest sample of a frame when the frame was written to the avatar.')
  .meta({ id: 'Latency' });

/** End of a speech. */
export const SpeechEndSchema = z
  .object({
    how: z.enum(['completed', 'stopped', 'failed', 'avatar-lost']),
    heardMs: z.number().describe('How much of the sound was heard.'),
    heard: z
      .enum(['confirmed', 'assumed'])
      .describe('Whether the avatar itself has told that it read all of that and could play it.'),
    durationMs: nullableMs.describe('The whole length of the sound, where it is known.'),
    gaps: z
      .object({
        count: z.int(),
        totalMs: z.number(),
        bySource: z.int().describe('Of these: the sound came late.'),
        byStall: z.int().describe('Of these: the service was stalled for longer than the lead.'),
        byAgent: z.int().describe('Of these: the avatar stood still.'),
      })
      .describe('Silences that were not in the sound.'),
    droppedMs: z.number().describe('Live sound dropped because it came faster than it could be played.'),
    latency: LatencySchema.nullable().describe('Of a live sound; null for any other.'),
    cuesSent: z.int(),
    cuesDropped: z.int(),
    error: ProblemSchema.nullable().describe('Why, unless it completed.'),
  })
  .meta({ id: 'SpeechEnd' });

/** A speech that has not ended. */
export const SpeechSchema = z
  .object({
    id: z.string(),
    agent: z.string(),
    label: z.string().describe('How messages name its sound.'),
    state: z.enum(['queued', 'preparing', 'speaking', 'paused', 'draining', 'ended']),
    waiting: z.string().nullable().describe('Why it has not begun, where something is to be done about it.'),
    positionMs: z.number().describe('Heard so far.'),
    durationMs: nullableMs.describe('Null where it is not known, as of a text that is still synthesised.'),
  })
  .meta({ id: 'Speech' });

/** A speech, with its end once it has ended. */
export const SpeechResultSchema = SpeechSchema.extend({ end: SpeechEndSchema.nullable() }).meta({
  id: 'SpeechResult',
});

/** Speeches of several agents, one each. */
export const SpeechGroupSchema = z
  .object({ speeches: z.array(SpeechResultSchema).describe('In the order of the agents.') })
  .meta({ id: 'SpeechGroup' });

/** A speech, or several when the path names several agents. */
export const SpeechAnswerSchema = z.union([SpeechResultSchema, SpeechGroupSchema]);

/** Round trip of frames to an agent. */
export const RoundTripSchema = z
  .object({
    count: z.int(),
    lastMs: z.number(),
    medianMs: z.number(),
    maxMs: z.number(),
    jitterMs: z.number(),
  })
  .nullable()
  .describe('From a frame to the proof that the avatar has read it.');

/** A program that uses the bridge as an avatar. */
export const RelayedProgramSchema = z.object({
  name: z.string().describe('Its address.'),
  connectedMs: z.number(),
  speaking: z.boolean(),
  speeches: z.int().describe('Speeches that its sound became.'),
  refused: z.int().describe('Commands and sounds that were not passed on.'),
  droppedMs: z.number().describe('Sound that was dropped, because its speech was ended by somebody else.'),
  droppedLines: z.int().describe('Messages of the avatar that were dropped because it read too slowly.'),
});

/** State of an agent. */
export const AgentSchema = z
  .object({
    name: z
      .string()
      .describe('With its node, `name@node`, where another node has an agent of the same name.'),
    node: z.string().optional().describe('Node that it is connected to, where nodes are joined (`--nats`).'),
    state: z
      .enum(['absent', 'connected', 'ready'])
      .describe('`connected`: there, but its model is not loaded yet; `ready`: it can speak.'),
    handover: z
      .boolean()
      .describe(
        'True during a planned restart while the agent is still with the previous process. `interrupt` reaches it there; other requests about what it speaks answer RESTARTING.',
      ),
    model: z.string().describe('Alias of the model whose lips move.'),
    remote: z.string().nullable(),
    transport: z
      .enum(['websocket', 'tcp'])
      .nullable()
      .describe(
        'Over tcp, positions follow the clock between the avatar’s answers, which come about once a second.',
      ),
    connectedMs: nullableMs.describe('How long it has been connected.'),
    speaking: z.boolean(),
    paused: z.boolean(),
    unanswered: z
      .boolean()
      .describe(
        'True when nothing has come since its connection was taken over from another process; its speeches wait.',
      ),
    stalled: z.boolean().describe('True while it is known to have stopped reading.'),
    heldMs: z.number().describe('What it holds unplayed.'),
    leadMs: z.number().describe('What it is to hold unplayed.'),
    gainDb: z.number().describe('Its level, in dB; 0 is unchanged.'),
    roundTrip: RoundTripSchema,
    speeches: z.array(SpeechSchema).describe('In the order in which they are or will be heard.'),
    relayed: z.array(RelayedProgramSchema).describe('Programs that take the bridge for this avatar.'),
  })
  .meta({ id: 'Agent' });

/** Result of an interruption. */
export const InterruptionSchema = z
  .object({
    heardMs: z.number().describe('How much of the speech that sounded was heard; 0 when none did.'),
    dropped: z.int().describe('Speeches that had been waiting and were dropped.'),
  })
  .meta({ id: 'Interruption' });

/** Result of one command. */
export const CommandResultSchema = z
  .object({
    command: z.string(),
    sent: z.boolean(),
    error: ProblemSchema.nullable(),
  })
  .meta({ id: 'CommandResult' });

/** A speech in the API. */
export type SpeechJson = z.output<typeof SpeechSchema>;
/** A speech, or those of several agents. */
export type SpeechAnswerJson = z.output<typeof SpeechAnswerSchema>;
/** A speech with its end. */
export type SpeechResultJson = z.output<typeof SpeechResultSchema>;
/** End of a speech in the API. */
export type SpeechEndJson = z.output<typeof SpeechEndSchema>;
/** An agent in the API. */
export type AgentJson = z.output<typeof AgentSchema>;
/** Latency of a live sound. */
export type LatencyJson = z.output<typeof LatencySchema>;
/** Result of one command. */
export type CommandResultJson = z.output<typeof CommandResultSchema>;
/** Result of an interruption. */
export type InterruptionJson = z.output<typeof InterruptionSchema>;

/** @returns an `AgentSchema` object */
export function agentJson(snapshot: AgentSnapshot): AgentJson {
  const { roundTrip } = snapshot;
  return {
    name: snapshot.name,
    state: snapshot.state,
    handover: snapshot.handover,
    model: snapshot.model,
    remote: snapshot.remote ?? null,
    transport: snapshot.transport ?? null,
    connectedMs: orNull(snapshot.connectedMs),
    speaking: snapshot.speaking,
    paused: snapshot.paused,
    unanswered: snapshot.unanswered,
    stalled: snapshot.stalled,
    heldMs: roundMs(snapshot.heldMs),
    leadMs: snapshot.leadMs,
    gainDb: snapshot.gainDb,
    roundTrip: roundTrip
      ? {
          count: roundTrip.count,
          lastMs: fine(roundTrip.lastMs),
          medianMs: fine(roundTrip.medianMs),
          maxMs: fine(roundTrip.maxMs),
          jitterMs: fine(roundTrip.jitterMs),
        }
      : null,
    speeches: snapshot.speeches.map((speech) => speechJson(snapshot.name, speech)),
    relayed: snapshot.relayed.map((program) => ({
      ...program,
      connectedMs: Math.round(program.connectedMs),
      droppedMs: Math.round(program.droppedMs),
    })),
  };
}

/** @returns a `SpeechSchema` object */
export function speechJson(agent: string, speech: SpeechSnapshot): SpeechJson {
  return {
    id: speech.id,
    agent,
    label: speech.label,
    state: speech.state as SpeechJson['state'],
    waiting: speech.waiting ?? null,
    positionMs: roundMs(speech.positionMs),
    durationMs: orNull(speech.durationMs),
  };
}

/** Returns a speech in the form of the API, with its end once it has ended. */
export function speechResult(agent: string, speech: Speech, end = speech.end): SpeechResultJson {
  const { positionMs, durationMs } = speech.position;
  return {
    id: speech.id,
    agent,
    label: speech.label,
    state: speech.state,
    waiting: speech.waiting ?? null,
    positionMs: roundMs(positionMs),
    durationMs: orNull(durationMs),
    end: end ? speechEndJson(end) : null,
  };
}

/** @returns a `SpeechEndSchema` object */
export function speechEndJson(end: SpeechEnd): SpeechEndJson {
  return {
    how: end.how,
    heardMs: roundMs(end.heardMs),
    heard: end.heard,
    durationMs: orNull(end.durationMs),
    gaps: {
      count: end.gaps.count,
      totalMs: roundMs(end.gaps.totalMs),
      bySource: end.gaps.bySource,
      byStall: end.gaps.byStall,
      byAgent: end.gaps.byAgent,
    },
    droppedMs: roundMs(end.droppedMs),
    latency: latencyJson(end.latency),
    cuesSent: end.cuesSent,
    cuesDropped: end.cuesDropped,
    error: end.error ? toProblem(end.error) : null,
  };
}

/** @returns a `LatencySchema` object, or null */
export function latencyJson(latency: LiveLatency | undefined): LatencyJson | null {
  if (!latency) return null;
  return { ...latency, p50Ms: roundMs(latency.p50Ms), maxMs: roundMs(latency.maxMs) };
}

/** Returns a known length; an endless sound has none. */
export function orNull(ms: number | undefined): number | null {
  return ms === undefined || !Number.isFinite(ms) ? null : roundMs(ms);
}

/** Rounds a round trip, which lasts a fraction of a millisecond. */
function fine(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

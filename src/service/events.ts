import { z } from 'zod';
import type { Agent } from '../agent/agent.js';
import type { Speech, SpeechEnd } from '../speech/speech.js';
import { ProblemSchema, toProblem } from './problem.js';
import {
  AgentSchema,
  latencyJson,
  LatencySchema,
  orNull,
  RoundTripSchema,
  roundMs,
  speechEndJson,
  SpeechEndSchema,
} from './schemas.js';

const head = {
  time: z.string().describe('When, by the clock on the wall: ISO 8601 with milliseconds.'),
  agent: z.string(),
  node: z.string().optional().describe('Node of the agent, where nodes are joined (`--nats`).'),
};
const speechHead = { ...head, speech: z.string().describe('The id of the speech.') };

const event = <Type extends string, Shape extends z.ZodRawShape>(
  type: Type,
  shape: Shape,
): z.ZodObject<{ type: z.ZodLiteral<Type> } & Shape> => z.object({ type: z.literal(type), ...shape });

/** Events of one speech: lines of `Accept: application/x-ndjson`, and part of the event stream. */
export const SpeechEventSchema = z
  .discriminatedUnion('type', [
    event('accepted', {
      ...speechHead,
      label: z.string(),
      ref: z.string().optional().describe('Over a stream: the word that came with its `start`.'),
    }),
    event('waiting', { ...speechHead, message: z.string().describe('What it waits for, as a sentence.') }),
    event('info', {
      ...speechHead,
      format: z.string(),
      sampleRateHz: z.number(),
      channels: z.int(),
      durationMs: z.number().nullable(),
    }),
    event('state', {
      ...speechHead,
      label: z.string(),
      state: z.enum(['queued', 'preparing', 'speaking', 'paused', 'draining']),
    }),
    event('position', {
      ...speechHead,
      positionMs: z.number(),
      durationMs: z.number().nullable(),
      heldMs: z.number().describe('What the avatar holds unplayed.'),
      latency: LatencySchema.nullable().describe('Of the last five seconds of a live sound.'),
    }),
    event('sent', { ...speechHead, samples: z.string().describe('16 kHz mono s16le, base64.') }),
    event('warning', { ...speechHead, message: z.string() }),
    event('cue', { ...speechHead, atMs: z.number(), send: z.string() }),
    event('sentence', {
      ...speechHead,
      index: z.int().describe('Counts the sentences of the text from 0.'),
      text: z.string().describe('As it was written, without tags.'),
      startMs: z.number().describe('Its begin in the sound, as heard.'),
      endMs: z.number().nullable().describe('Its end in the sound, once it is over.'),
      state: z
        .enum(['begun', 'heard', 'cut'])
        .describe(
          '`begun` when it begins to be heard; then `heard` to its end, or `cut` by the end of the speech.',
        ),
    }).describe('A sentence of a text, as it is heard: told when it begins and again when it is over.'),
    event('ended', { ...speechHead, label: z.string(), ...SpeechEndSchema.shape }),
  ])
  .meta({ id: 'SpeechEvent' });

/** Events of agents. */
export const AgentEventSchema = z
  .discriminatedUnion('type', [
    event('connected', { ...head, remote: z.string() }),
    event('ready', { ...head, model: z.string(), afterMs: z.number().describe('Since it connected.') }),
    event('not-ready', { ...head, error: ProblemSchema }),
    event('lost', { ...head, error: ProblemSchema }),
    event('message', {
      ...head,
      text: z.string().describe('The line as the avatar sent it, echoes of our commands among them.'),
      truncated: z.boolean().describe('True when the avatar cut it off.'),
    }),
    event('stalled', { ...head, stalled: z.boolean().describe('It has stopped reading, or reads again.') }),
    event('relay', {
      ...head,
      program: z.string().describe('Address of a program that takes the bridge for this avatar.'),
      state: z.enum(['connected', 'left', 'refused']),
      reason: z.string().optional().describe('Why what it sent was not passed on.'),
    }),
    event('gap', {
      ...speechHead,
      lengthMs: z.number(),
      cause: z.enum(['source', 'stall', 'agent']),
    }),
    event('vitals', {
      ...head,
      speaking: z.boolean(),
      paused: z.boolean(),
      heldMs: z.number().describe('What it holds unplayed.'),
      leadMs: z.number().describe('What it is to hold unplayed.'),
      gainDb: z.number().describe('Its level.'),
      roundTrip: RoundTripSchema,
    }),
    event('peaks', {
      ...speechHead,
      fromMs: z.number().describe('Where in the sound the first peak begins.'),
      stepMs: z.number().describe('What each peak stands for.'),
      peaks: z
        .array(z.int().min(0).max(255))
        .describe(
          'The loudest sample of each step as it was sent, shortly before it is heard; 255 is full scale.',
        ),
    }),
  ])
  .meta({ id: 'AgentEvent' });

/** Events that only a follower receives. */
export const FollowerEventSchema = z
  .discriminatedUnion('type', [
    event('snapshot', {
      time: head.time,
      node: head.node,
      agents: z
        .array(AgentSchema)
        .describe(
          'Everything as it is now: told at the start, after what was missed, and again when agents of other nodes come or change their names.',
        ),
    }),
    event('missed', {
      time: head.time,
      node: head.node.describe('Node whose events were missed; without it those of any.'),
      count: z.int().nullable().describe('Events that are no longer kept; null when not even that is known.'),
    }),
    event('closing', { time: head.time, node: head.node }),
    event('restarting', {
      time: head.time.describe('The service goes on in another process: come back with `Last-Event-ID`.'),
      node: head.node,
    }),
  ])
  .meta({ id: 'FollowerEvent' });

/** Event of one speech. */
export type SpeechEventJson = z.output<typeof SpeechEventSchema>;
/** Event of an agent. */
export type AgentEventJson = z.output<typeof AgentEventSchema>;
/** Event that only a follower receives. */
export type FollowerEventJson = z.output<typeof FollowerEventSchema>;
/** Any event for followers. */
export type ServiceEventJson = SpeechEventJson | AgentEventJson | FollowerEventJson;

/** Returns the current time in the format of events. */
export function eventTime(): string {
  return new Date().toISOString();
}

/**
 * Calls `tell` with the events of a speech until its end, except its position.
 * @returns ends it early
 */
export function followSpeech(
  agent: string,
  speech: Speech,
  tell: (event: SpeechEventJson) => void,
): () => void {
  const { id } = speech;
  const at = (): { time: string; agent: string; speech: string } => ({
    time: eventTime(),
    agent,
    speech: id,
  });
  const offs = [
    speech.on('waiting', (message) => tell({ type: 'waiting', ...at(), message })),
    speech.on('info', ({ format, sampleRateHz, channels, durationMs }) =>
      tell({ type: 'info', ...at(), format, sampleRateHz, channels, durationMs: orNull(durationMs) }),
    ),
    speech.on('state', (state) => {
      // The end is reported by `ended`, with its kind.
      if (state !== 'ended') tell({ type: 'state', ...at(), label: speech.label, state });
    }),
    speech.on('warning', (message) => tell({ type: 'warning', ...at(), message })),
    speech.on('cue', ({ atMs, send }) => tell({ type: 'cue', ...at(), atMs, send })),
    speech.on('sentence', ({ index, text, startMs, endMs, state }) =>
      tell({
        type: 'sentence',
        ...at(),
        ...{
          index,
          text,
          startMs: roundMs(startMs),
          endMs: endMs === undefined ? null : roundMs(endMs),
          state,
        },
      }),
    ),
    speech.on('ended', (end) => tell(endedEvent(agent, speech, end))),
  ];
  return () => offs.forEach((off) => off());
}

/** Calls `tell` with the position of a speech, about ten times a second. @returns ends it */
export function followPosition(
  agent: string,
  speech: Speech,
  tell: (event: SpeechEventJson) => void,
): () => void {
  return speech.on('position', ({ positionMs, durationMs, heldMs, latency }) =>
    tell({
      type: 'position',
      time: eventTime(),
      agent,
      speech: speech.id,
      positionMs: roundMs(positionMs),
      durationMs: orNull(durationMs),
      heldMs: roundMs(heldMs),
      latency: latencyJson(latency),
    }),
  );
}

/** Calls `tell` with the samples of a speech as they are sent. @returns ends it */
export function followSamples(
  agent: string,
  speech: Speech,
  tell: (event: SpeechEventJson) => void,
): () => void {
  return speech.on('sent', ({ samples }) =>
    tell({ type: 'sent', time: eventTime(), agent, speech: speech.id, samples: toBase64(samples) }),
  );
}

function toBase64(samples: Int16Array): string {
  const bytes = Buffer.allocUnsafe(samples.length * 2);
  for (let i = 0; i < samples.length; i += 1) bytes.writeInt16LE(samples[i]!, i * 2);
  return bytes.toString('base64');
}

/** Calls `tell` with the events of an agent. @returns ends it */
export function followAgent(agent: Agent, tell: (event: AgentEventJson) => void): () => void {
  const at = (): { time: string; agent: string } => ({ time: eventTime(), agent: agent.name });
  const offs = [
    agent.on('connected', ({ remote }) => tell({ type: 'connected', ...at(), remote })),
    agent.on('ready', ({ model, afterMs }) =>
      tell({ type: 'ready', ...at(), model, afterMs: roundMs(afterMs) }),
    ),
    agent.on('not-ready', (error) => tell({ type: 'not-ready', ...at(), error: toProblem(error) })),
    agent.on('lost', (error) => tell({ type: 'lost', ...at(), error: toProblem(error) })),
    agent.on('message', ({ text, truncated }) => tell({ type: 'message', ...at(), text, truncated })),
    agent.on('stalled', (stalled) => tell({ type: 'stalled', ...at(), stalled })),
    agent.on('relay', (relay) => tell({ type: 'relay', ...at(), ...relay })),
    agent.on('gap', ({ speech, lengthMs, cause }) =>
      tell({ type: 'gap', ...at(), speech: speech.id, lengthMs: roundMs(lengthMs), cause }),
    ),
  ];
  return () => offs.forEach((off) => off());
}

/** Returns the event of an accepted speech. */
export function acceptedEvent(agent: string, speech: Speech): SpeechEventJson {
  return { type: 'accepted', time: eventTime(), agent, speech: speech.id, label: speech.label };
}

/** Returns the event of a speech's end. */
export function endedEvent(agent: string, { id, label }: Speech, end: SpeechEnd): SpeechEventJson {
  return { type: 'ended', time: eventTime(), agent, speech: id, label, ...speechEndJson(end) };
}

import { z } from 'zod';
import type { Agent } from '../../agent/agent.js';
import { delay } from '../../base/clock.js';
import { BridgeError } from '../../base/errors.js';
import type { Cue } from '../../speech/cues.js';
import type { Interruption } from '../../speech/player-context.js';
import type { Speech } from '../../speech/speech.js';
import type { RouteFamily, ServiceContext } from '../context.js';
import { CuesSchema, FadeQuery, SpeechParams, TargetParams } from '../params.js';
import { ProblemSchema } from '../problem.js';
import {
  agentJson,
  AgentSchema,
  InterruptionSchema,
  roundMs,
  speechJson,
  speechResult,
  SpeechResultSchema,
  SpeechSchema,
} from '../schemas.js';
import { agentsOf, isGroupName, namesOf } from '../target.js';

const tags = ['speeches'];

/** Maximum wait of an interruption's answer for the silence, in ms. */
const SILENCE_MS = 3000;

/** Routes of an agent's speeches: list, stop, pause, cues. */
export const speechesRoutes: RouteFamily = (api, context) => {
  api.route({
    method: 'GET',
    url: '/api/agents/:name/speeches',
    schema: {
      operationId: 'listSpeeches',
      summary: 'Every speech that has not ended, in the order in which they are or will be heard',
      tags,
      params: TargetParams,
      response: { 200: z.object({ speeches: z.array(SpeechSchema) }), default: ProblemSchema },
    },
    handler: (request) => {
      const snapshots = agentsOf(context, request.params.name).map((agent) => agent.snapshot());
      return {
        speeches: snapshots.flatMap(({ name, speeches }) =>
          speeches.map((speech) => speechJson(name, speech)),
        ),
      };
    },
  });

  api.route({
    method: 'GET',
    url: '/api/agents/:name/speeches/:id',
    schema: {
      operationId: 'getSpeech',
      summary: 'One speech: how far it is, or how it ended',
      description: 'The last thousand speeches that ended are kept until the service ends.',
      tags,
      params: SpeechParams,
      response: { 200: SpeechResultSchema, default: ProblemSchema },
    },
    handler: (request) => {
      const { name, id } = request.params;
      const ended = context.ended.find(namesOf(name), id);
      if (ended) return ended;
      const { agent, speech } = knownSpeech(context, name, id);
      return speechResult(agent.name, speech);
    },
  });

  api.route({
    method: 'DELETE',
    url: '/api/agents/:name/speeches/:id',
    schema: {
      operationId: 'stopSpeech',
      summary: 'Stops a speech; answers when it is silent, with what was heard',
      description: 'What the avatar holds (the lead) still sounds. The others go on.',
      tags,
      params: SpeechParams,
      querystring: FadeQuery,
      response: { 200: SpeechResultSchema, default: ProblemSchema },
    },
    handler: async (request) => {
      const { name, id } = request.params;
      const options = { fadeMs: request.query.fadeMs };
      const { agent, speech } = knownSpeech(context, name, id);
      await speech.stop(options);
      return speechResult(agent.name, speech);
    },
  });

  api.route({
    method: 'POST',
    url: '/api/agents/:name/speeches/:id/cues',
    schema: {
      operationId: 'addCues',
      summary: 'Adds commands at moments of a speech',
      description: 'All or none are taken. A moment that has passed is now.',
      tags,
      params: SpeechParams,
      body: z.strictObject({ cues: CuesSchema.min(1) }),
      response: { 200: z.object({ added: z.int() }), default: ProblemSchema },
    },
    handler: (request) => {
      const { name, id } = request.params;
      const { agent, speech } = knownSpeech(context, name, id);
      const cues = request.body.cues as Cue[];
      for (const { send } of cues) agent.checkCommand(send);
      for (const { atMs, send, always } of cues) {
        speech.cue(atMs, send, { always });
      }
      return { added: cues.length };
    },
  });

  api.route({
    method: 'POST',
    url: '/api/agents/:name/interrupt',
    schema: {
      operationId: 'interrupt',
      summary: 'Ends what is spoken and drops what waits; answers when it is silent',
      tags,
      params: TargetParams,
      querystring: FadeQuery,
      response: {
        200: z.union([
          z.object({ agents: z.array(InterruptionSchema.extend({ agent: z.string() })) }),
          InterruptionSchema,
        ]),
        default: ProblemSchema,
      },
    },
    handler: async (request) => {
      const { name } = request.params;
      const agents = await Promise.all(
        agentsOf(context, name).map(async (agent) => {
          const { heardMs, dropped } = await interrupt(context, agent, request.query.fadeMs);
          return { agent: agent.name, heardMs: roundMs(heardMs), dropped };
        }),
      );
      return isGroupName(name) ? { agents } : agents[0]!;
    },
  });

  for (const [verb, summary] of [
    ['pause', 'Holds the speech where it is; what the avatar holds still sounds'],
    ['resume', 'Goes on after a pause'],
  ] as const) {
    api.route({
      method: 'POST',
      url: `/api/agents/:name/${verb}`,
      schema: {
        operationId: verb,
        summary,
        tags,
        params: TargetParams,
        response: {
          200: z.union([z.object({ agents: z.array(AgentSchema) }), AgentSchema]),
          default: ProblemSchema,
        },
      },
      handler: (request) => {
        const { name } = request.params;
        const agents = agentsOf(context, name);
        for (const agent of agents) agent[verb]();
        const snapshots = agents.map((agent) => agentJson(agent.snapshot()));
        return isGroupName(name) ? { agents: snapshots } : snapshots[0]!;
      },
    });
  }
};

/** Returns a speech of the named agents by its id. @throws BridgeError SPEECH_UNKNOWN, RESTARTING, or as `agentsOf` */
function knownSpeech(context: ServiceContext, name: string, id: string): { agent: Agent; speech: Speech } {
  const agents = agentsOf(context, name);
  for (const agent of agents) {
    const speech = agent.speeches.find((other) => other.id === id);
    if (speech) return { agent, speech };
  }
  if (agents.some(({ handover }) => handover)) {
    throw new BridgeError('RESTARTING', `Agent ${name} is still with the service’s previous process.`);
  }
  throw new BridgeError('SPEECH_UNKNOWN', `Agent ${name} has no speech ${JSON.stringify(id.slice(0, 40))}.`);
}

/** Interrupts, and waits for the silence unless none can be expected: an avatar that has stopped reading reports none. */
async function interrupt(
  { bridge }: ServiceContext,
  agent: Agent,
  fadeMs: number | undefined,
): Promise<Interruption> {
  const [sounding] = agent.speeches;
  const waiting = agent.speeches.length - (sounding ? 1 : 0);
  const silent = new AbortController();
  const done = agent.interrupt({ fadeMs }).finally(() => silent.abort());
  const late = delay(bridge.clock, SILENCE_MS, silent.signal).then(
    () => ({ heardMs: sounding?.positionMs ?? 0, dropped: waiting }),
    () => done,
  );
  return Promise.race([done, late]);
}

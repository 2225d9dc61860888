import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import type { Cue } from '../../speech/cues.js';
import type { Speech } from '../../speech/speech.js';
import { knownAgent, type RouteFamily, type ServiceContext } from '../context.js';
import { AgentParams, CuesSchema, FadeQuery, SpeechParams } from '../params.js';
import { ProblemSchema } from '../problem.js';
import {
  agentJson,
  AgentSchema,
  InterruptionSchema,
  roundMs,
  speechJson,
  SpeechResultSchema,
  SpeechSchema,
} from '../schemas.js';
import { speechResult } from '../speech-answer.js';

const tags = ['speeches'];

/** The speeches of an agent: what there is, stopping, pausing, cues. */
export const speechesRoutes: RouteFamily = (api, context) => {
  api.route({
    method: 'GET',
    url: '/api/agents/:name/speeches',
    schema: {
      operationId: 'listSpeeches',
      summary: 'Every speech that has not ended, in the order in which they are or will be heard',
      tags,
      params: AgentParams,
      response: { 200: z.object({ speeches: z.array(SpeechSchema) }), default: ProblemSchema },
    },
    handler: (request) => {
      const { name, speeches } = knownAgent(context, request.params.name).snapshot();
      return { speeches: speeches.map((speech) => speechJson(name, speech)) };
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
      const speech = knownSpeech(context, name, id);
      await speech.stop(fade(request.query.fadeMs));
      return speechResult(name, speech);
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
      const speech = knownSpeech(context, name, id);
      const cues = request.body.cues as Cue[];
      for (const { send } of cues) knownAgent(context, name).checkCommand(send);
      for (const { atMs, send, always } of cues) {
        speech.cue(atMs, send, always === undefined ? {} : { always });
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
      params: AgentParams,
      querystring: FadeQuery,
      response: { 200: InterruptionSchema, default: ProblemSchema },
    },
    handler: async (request) => {
      const agent = knownAgent(context, request.params.name);
      const { heardMs, dropped } = await agent.interrupt(fade(request.query.fadeMs));
      return { heardMs: roundMs(heardMs), dropped };
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
        params: AgentParams,
        response: { 200: AgentSchema, default: ProblemSchema },
      },
      handler: (request) => {
        const agent = knownAgent(context, request.params.name);
        agent[verb]();
        return agentJson(agent.snapshot());
      },
    });
  }
};

function knownSpeech(context: ServiceContext, name: string, id: string): Speech {
  const speech = knownAgent(context, name).speeches.find((other) => other.id === id);
  if (speech) return speech;
  throw new BridgeError('SPEECH_UNKNOWN', `Agent ${name} has no speech ${JSON.stringify(id.slice(0, 40))}.`);
}

function fade(fadeMs: number | undefined): { fadeMs?: number } {
  return fadeMs === undefined ? {} : { fadeMs };
}

import { z } from 'zod';
import { knownAgent, type RouteFamily } from '../context.js';
import { AgentParams } from '../params.js';
import { ProblemSchema } from '../problem.js';
import { agentJson, AgentSchema } from '../schemas.js';

/** Routes of an agent's gain. */
export const gainRoutes: RouteFamily = (api, context) => {
  api.route({
    method: 'PUT',
    url: '/api/agents/:name/gain',
    schema: {
      operationId: 'setGain',
      summary: 'Makes everything louder or quieter from now on, without a click',
      description: 'On top of the level of each speech. What the avatar holds already keeps its level.',
      tags: ['agents'],
      params: AgentParams,
      body: z.strictObject({ gainDb: z.number().min(-60).max(20).describe('In dB; 0 is unchanged.') }),
      response: { 200: AgentSchema, default: ProblemSchema },
    },
    handler: (request) => {
      const agent = knownAgent(context, request.params.name);
      agent.setGainDb(request.body.gainDb);
      return agentJson(agent.snapshot());
    },
  });
};

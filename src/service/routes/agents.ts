import { z } from 'zod';
import { knownAgent, type RouteFamily } from '../context.js';
import { AgentParams } from '../params.js';
import { ProblemSchema } from '../problem.js';
import { agentJson, AgentSchema } from '../schemas.js';

/** Who is there, and what they do. */
export const agentRoutes: RouteFamily = (api, context) => {
  api.route({
    method: 'GET',
    url: '/api/agents',
    schema: {
      operationId: 'listAgents',
      summary: 'Every agent that is known',
      tags: ['agents'],
      response: { 200: z.object({ agents: z.array(AgentSchema) }), default: ProblemSchema },
    },
    handler: () => ({ agents: context.bridge.agents().map((agent) => agentJson(agent.snapshot())) }),
  });

  api.route({
    method: 'GET',
    url: '/api/agents/:name',
    schema: {
      operationId: 'getAgent',
      summary: 'One agent',
      tags: ['agents'],
      params: AgentParams,
      response: { 200: AgentSchema, default: ProblemSchema },
    },
    handler: (request) => agentJson(knownAgent(context, request.params.name).snapshot()),
  });
};

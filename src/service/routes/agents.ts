import { z } from 'zod';
import { allAgents, knownAgent, type RouteFamily } from '../context.js';
import { NodeSchema, nodeCallerOf } from '../nodes.js';
import { AgentParams } from '../params.js';
import { ProblemSchema } from '../problem.js';
import { agentJson, AgentSchema } from '../schemas.js';

/** Routes of the agents and their state. */
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
    handler: async (request) => {
      // Another node asks only for the agents of this one.
      if (nodeCallerOf(request.raw)) {
        return { agents: context.bridge.agents().map((agent) => agentJson(agent.snapshot())) };
      }
      await context.nodes?.refresh();
      return { agents: allAgents(context) };
    },
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

  api.route({
    method: 'GET',
    url: '/api/nodes',
    schema: {
      operationId: 'listNodes',
      summary: 'Every node that is known, this one first; none where nodes are not joined',
      tags: ['service'],
      response: { 200: z.object({ nodes: z.array(NodeSchema) }), default: ProblemSchema },
    },
    handler: () => ({ nodes: context.nodes?.nodes() ?? [] }),
  });
};

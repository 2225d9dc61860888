import { z } from 'zod';
import type { RouteFamily } from '../context.js';
import { ProblemSchema } from '../problem.js';

/** Route for Prometheus. It names the agents, so it needs the token like the API. */
export const metricsRoutes: RouteFamily = (api, { metrics }) => {
  api.addHook('onResponse', (request, reply, next) => {
    metrics.answered(request.method, request.routeOptions.url, reply.statusCode);
    next();
  });
  api.addHook('onClose', () => metrics.close());

  api.route({
    method: 'GET',
    url: '/metrics',
    schema: {
      operationId: 'metrics',
      summary: 'Counts and states, for Prometheus',
      tags: ['service'],
      response: {
        200: {
          description: 'The text format of Prometheus.',
          content: { 'text/plain': { schema: z.string() } },
        },
        default: ProblemSchema,
      },
    },
    handler: async (_request, reply) => {
      const text = await metrics.text();
      return reply.type(metrics.contentType).send(text);
    },
  });
};

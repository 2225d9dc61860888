import { z } from 'zod';
import type { RouteFamily } from '../context.js';
import { ProblemSchema } from '../problem.js';

const StatusSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Status' });

/**
 * Routes for process supervisors. They reveal nothing else, and need no token.
 *
 * `/healthz` tells whether to kill the process: it answers as long as the event loop runs, to the very end. `/readyz` tells
 * whether to send requests: it fails as soon as the service begins to end. Neither depends on avatars: they come and go,
 * and speeches wait for them.
 */
export const healthRoutes: RouteFamily = (api) => {
  for (const [url, operationId, summary, toTheEnd] of [
    ['/healthz', 'health', 'The process lives and its event loop turns; also while it ends', true],
    [
      '/readyz',
      'readiness',
      'It takes requests, whether avatars are there or not; 503 once it is ending',
      false,
    ],
  ] as const) {
    api.route({
      method: 'GET',
      url,
      config: { gate: { public: true, toTheEnd } },
      schema: {
        operationId,
        summary,
        tags: ['service'],
        response: { 200: StatusSchema, default: ProblemSchema },
      },
      handler: () => ({ status: 'ok' as const }),
    });
  }
};

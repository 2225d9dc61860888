import { z } from 'zod';
import type { RouteFamily } from '../context.js';
import { ProblemSchema } from '../problem.js';

const StatusSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Status' });

/**
 * For whoever watches over the process. They tell nothing else, and ask for no token.
 *
 * `/healthz` is to be asked before a process is killed: it answers as long as the event loop turns, to the very end.
 * `/readyz` is to be asked before requests are sent: it stops as soon as the service begins to end. Whether avatars are
 * there is neither's affair: they come and go, and speeches wait for them.
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

import { z } from 'zod';
import type { RouteFamily } from '../context.js';
import { ProblemSchema } from '../problem.js';

const StatusSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Status' });

/** For whoever watches over the process. They tell nothing else, and ask for no token. */
export const healthRoutes: RouteFamily = (api) => {
  for (const [url, operationId, summary] of [
    ['/healthz', 'health', 'The process lives and its event loop turns'],
    ['/readyz', 'readiness', 'It takes requests; 503 once it is ending'],
  ] as const) {
    api.route({
      method: 'GET',
      url,
      config: { gate: { public: true } },
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

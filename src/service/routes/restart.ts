import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import type { RouteFamily } from '../context.js';
import { ProblemSchema } from '../problem.js';

const RestartSchema = z.object({ restarting: z.literal(true) }).meta({ id: 'Restart' });

/** Route of a planned restart. */
export const restartRoutes: RouteFamily = (api, { bridge }) => {
  api.route({
    method: 'POST',
    url: '/api/restart',
    schema: {
      operationId: 'restart',
      summary: 'Starts the service’s code and options anew, without losing an avatar or a sample',
      description:
        'Answers at once. A new process starts; when it is ready it takes over, which `pid` of the service shows. ' +
        'What is spoken goes on in the old one to its end. If the new one cannot start, the old one goes on.',
      tags: ['service'],
      response: { 202: RestartSchema, default: ProblemSchema },
    },
    handler: (_request, reply) => {
      if (!bridge.handover) {
        throw new BridgeError('KEEPER_NONE', 'This service runs in one process, without a keeper.');
      }
      if (!bridge.handover.kept) {
        throw new BridgeError(
          'KEEPER_GONE',
          `The keeper of this service is gone; process ${process.pid} goes on alone.`,
        );
      }
      bridge.handover.restart();
      void reply.code(202);
      return { restarting: true as const };
    },
  });
};

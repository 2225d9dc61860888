import { z } from 'zod';
import type { RouteFamily } from '../context.js';
import { checkEngine } from '../engine-choice.js';
import { isLocalCaller } from '../guards.js';
import { SayQuery } from '../params.js';
import { ProblemSchema } from '../problem.js';

/** Maximum time for an engine to list its voices, in ms. */
const VOICES_MS = 10_000;

/** Route of the engines' voices. */
export const voiceRoutes: RouteFamily = (api, { bridge }) => {
  api.route({
    method: 'GET',
    url: '/api/voices',
    schema: {
      operationId: 'listVoices',
      summary: 'The voices of an engine',
      tags: ['speeches'],
      querystring: SayQuery.pick({ engine: true, engineOptions: true }),
      response: {
        200: z.object({
          engine: z.string(),
          voices: z.array(z.object({ id: z.string(), name: z.string(), language: z.string().optional() })),
        }),
        default: ProblemSchema,
      },
    },
    handler: async (request) => {
      const { engine, engineOptions } = request.query;
      checkEngine(bridge, { engine, engineOptions }, isLocalCaller(request.raw));
      const choice = { ...(engine !== undefined && { engine }), ...(engineOptions && { engineOptions }) };
      const voices = await bridge.engines.voices(choice, AbortSignal.timeout(VOICES_MS));
      return { engine: engine ?? bridge.options.engine, voices };
    },
  });
};

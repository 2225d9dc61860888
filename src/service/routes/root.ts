import { z } from 'zod';
import { PACKAGE_NAME, VERSION } from '../../base/version.js';
import type { RouteFamily } from '../context.js';
import { ProblemSchema } from '../problem.js';

/** Description of the service; clients recognise the service by its name. */
export const AboutSchema = z
  .object({
    service: z.literal(PACKAGE_NAME),
    version: z.string(),
    api: z.literal(1).describe('The API’s own version; fields are only ever added to it.'),
    startedAt: z.string(),
    pid: z.int().describe('The process that answers; a restart changes it.'),
    path: z.string().describe('Where avatars connect.'),
    agentToken: z.boolean().describe('True when they must bring a token: `?token=…` behind the path.'),
    token: z.boolean().describe('True when callers must bring a token.'),
    agents: z.int().describe('Agents that are connected.'),
    uploads: z.int().describe('Uploads under way.'),
    streams: z.int().describe('Streams that are open.'),
    followers: z.int(),
    droppedFollowers: z.int().describe('Followers dropped so far because they did not read.'),
  })
  .meta({ id: 'About' });

/** Description of the service. */
export type AboutJson = z.output<typeof AboutSchema>;

/** Route of the service's description. */
export const rootRoutes: RouteFamily = (api, { bridge, gate, hub, uploads, streams, startedAt }) => {
  api.route({
    method: 'GET',
    url: '/api',
    schema: {
      operationId: 'about',
      summary: 'What answers here',
      tags: ['service'],
      response: { 200: AboutSchema, default: ProblemSchema },
    },
    handler: (): AboutJson => ({
      service: PACKAGE_NAME,
      version: VERSION,
      api: 1,
      startedAt: startedAt.toISOString(),
      pid: process.pid,
      path: bridge.options.path,
      agentToken: bridge.options.agentToken !== undefined,
      token: gate.credentials !== undefined,
      agents: bridge.agents().filter(({ state }) => state !== 'absent').length,
      uploads: uploads.taken,
      streams: streams.taken,
      followers: hub.size,
      droppedFollowers: hub.dropped,
    }),
  });

  api.route({
    method: 'GET',
    url: '/api/openapi.json',
    schema: { hide: true },
    handler: () => api.swagger(),
  });
};

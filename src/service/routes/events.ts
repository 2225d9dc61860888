import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ALL_AGENTS } from '../../agent/registry.js';
import { BridgeError } from '../../base/errors.js';
import { allAgents, type RouteFamily, type ServiceContext } from '../context.js';
import { concerns, type About } from '../event-hub.js';
import { AgentEventSchema, eventTime, FollowerEventSchema, SpeechEventSchema } from '../events.js';
import { LiveAnswer } from '../live-answer.js';
import { queryFlag, TargetParams } from '../params.js';
import { ProblemSchema } from '../problem.js';
import type { AgentJson } from '../schemas.js';
import { agentsOf } from '../target.js';

const STREAM_TYPE = 'text/event-stream';

const DESCRIPTION =
  'Server-sent events: the `event` field is the type, `data` one JSON object. The first is a `snapshot`. Whoever comes ' +
  'back with `Last-Event-ID` is told first what it has missed, as far as it is kept; positions are not kept. A follower ' +
  'that does not read is dropped.';

const schema = {
  description: DESCRIPTION,
  tags: ['events'],
  response: {
    200: {
      description: 'Events until the client goes or the service ends.',
      content: {
        [STREAM_TYPE]: { schema: z.union([FollowerEventSchema, AgentEventSchema, SpeechEventSchema]) },
      },
    },
    default: ProblemSchema,
  },
};

const MetersQuery = z.strictObject({
  meters: queryFlag
    .optional()
    .describe('For those who draw: `peaks` of what is spoken and `vitals` are told too.'),
});

/** Route of the live events. */
export const eventRoutes: RouteFamily = (api, context) => {
  api.route({
    method: 'GET',
    url: '/api/events',
    exposeHeadRoute: false,
    schema: {
      ...schema,
      operationId: 'followEvents',
      summary: 'Everything that happens',
      querystring: MetersQuery.extend({
        agent: z
          .string()
          .optional()
          .describe('Only events of this agent, or of these, with commas between them.'),
      }),
    },
    handler: async (request, reply) => {
      await context.nodes?.refresh();
      follow(context, request, reply, request.query);
      return reply;
    },
  });

  api.route({
    method: 'GET',
    url: '/api/agents/:name/events',
    exposeHeadRoute: false,
    schema: {
      ...schema,
      operationId: 'followAgent',
      summary: 'Everything that happens to one agent, or to several',
      params: TargetParams,
      querystring: MetersQuery,
    },
    handler: async (request, reply) => {
      const { name } = request.params;
      await context.nodes?.refresh();
      const shown = allAgents(context);
      // Agents of other nodes are known here too.
      const elsewhere = name.split(',').every((one) => shown.some((agent) => concerns(one, about(agent))));
      if (!elsewhere) agentsOf(context, name);
      follow(context, request, reply, { ...request.query, agent: name });
      return reply;
    },
  });
};

function about({ name, node }: AgentJson): About {
  return { agent: name, node };
}

function follow(
  context: ServiceContext,
  request: FastifyRequest,
  reply: FastifyReply,
  query: { agent?: string | undefined; meters?: boolean | undefined },
): void {
  const { bridge, hub, followers, limits } = context;
  const { meters = false } = query;
  const agent = query.agent === ALL_AGENTS ? undefined : query.agent;
  const lastId = lastEventId(request.headers['last-event-id']);
  const leave = followers.take();
  reply.hijack();
  const lines = new LiveAnswer(reply.raw, limits.maxFollowerBytes);
  lines.open(STREAM_TYPE, reply.getHeaders());
  const agents = allAgents(context).filter((one) => concerns(agent, about(one)));
  const unfollow = hub.follow(
    {
      agent,
      meters,
      catchUp: (text) => lines.catchUp(text),
      write: (text) => lines.write(text),
      end: () => lines.end(),
      drop: () => {
        bridge.logger.warn({}, 'a follower of events was dropped: it does not read them');
        lines.drop();
      },
    },
    {
      ...(lastId !== undefined && { lastId }),
      then: [{ type: 'snapshot', time: eventTime(), agents }],
    },
  );
  reply.raw.once('close', () => {
    unfollow();
    leave();
  });
}

function lastEventId(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (typeof header === 'string' && /^\d{1,15}$|^\d{16}$/.test(header)) return Number(header);
  throw new BridgeError('REQUEST_INVALID', 'The Last-Event-ID is none that this service gave.');
}

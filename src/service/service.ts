import type { RequestListener } from 'node:http';
import swagger from '@fastify/swagger';
import Fastify, { type FastifyServerOptions } from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import { delay } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import { readToken } from '../base/token.js';
import { VERSION } from '../base/version.js';
import { handleOf, type Bridge } from '../bridge.js';
import { watchBridge } from './agent-watch.js';
import type { Api, RouteFamily, ServiceContext } from './context.js';
import { Credentials } from './credentials.js';
import { EndedSpeeches } from './ended-speeches.js';
import { EarlyRequests } from './early-requests.js';
import { withJsonBodies } from './reference.js';
import { Gate } from './gate.js';
import { handOverEvents } from './hand-over.js';
import { hostNames, requireLoopback } from './guards.js';
import { boundJsonBodies } from './json-bodies.js';
import { DEFAULT_LIMITS, Slots, type ServiceLimits } from './limits.js';
import { Metrics } from './metrics.js';
import type { NodeEntrance, OtherNodes } from './nodes.js';
import { fromThrown, sendProblem } from './problem.js';
import { safeNext } from './pages/login-page.js';
import { agentRoutes } from './routes/agents.js';
import { catalogueRoutes } from './routes/catalogue.js';
import { commandRoutes } from './routes/commands.js';
import { consoleRoutes } from './routes/console.js';
import { docsRoutes } from './routes/docs.js';
import { eventRoutes } from './routes/events.js';
import { healthRoutes } from './routes/health.js';
import { loginRoutes } from './routes/login.js';
import { metricsRoutes } from './routes/metrics.js';
import { restartRoutes } from './routes/restart.js';
import { rootRoutes } from './routes/root.js';
import { sayRoutes } from './routes/say.js';
import { speakRoutes } from './routes/speak.js';
import { speechesRoutes } from './routes/speeches.js';
import { streamRoutes } from './routes/stream.js';
import { voiceRoutes } from './routes/voices.js';
import { gainRoutes } from './routes/gain.js';
import { allowOrigin, setSecurityHeaders } from './security-headers.js';

/**
 * Zod in place of the framework's own validation. Set when the framework is made, and not later, so that its own validator,
 * a hundred modules, is never loaded: a worker has to start fast. The framework's types allow only its own.
 */
const COMPILERS = {
  compilersFactory: {
    buildValidator: () => validatorCompiler,
    buildSerializer: () => serializerCompiler,
  },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>;

/** All route families; a new one needs a file and a line here. */
const FAMILIES: readonly RouteFamily[] = [
  rootRoutes,
  docsRoutes,
  loginRoutes,
  healthRoutes,
  metricsRoutes,
  agentRoutes,
  speakRoutes,
  sayRoutes,
  voiceRoutes,
  speechesRoutes,
  streamRoutes,
  commandRoutes,
  eventRoutes,
  gainRoutes,
  catalogueRoutes,
  consoleRoutes,
  restartRoutes,
];

/** Maximum time for open answers when the service closes, in ms. */
const CLOSE_MS = 4000;

/** Options of the service beside those of its bridge. */
export interface ServiceOptions {
  readonly limits?: Partial<ServiceLimits>;
}

/** Control API of a bridge. */
export interface Service {
  /** URL: `http://127.0.0.1:9001`. */
  readonly url: string;
  readonly limits: ServiceLimits;
  /** Ends every request and follower; the bridge keeps running. Closing the bridge does this first. */
  close(): Promise<void>;
}

/**
 * Serves the control API of a bridge on the bridge's own port.
 * @throws BridgeError HOST_EXPOSED when other machines could reach it without a token; OPTION_INVALID or FILE_NOT_FOUND
 * for the token's file
 */
export async function attachService(of: Bridge, options: ServiceOptions = {}): Promise<Service> {
  const bridge = handleOf(of);
  const { address, options: given, listener } = bridge;
  const token = readToken(given);
  requireLoopback(address.host, token);
  const limits: ServiceLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const gate = new Gate(
    hostNames(address.host, given.allowHost),
    given.allowOrigin,
    token === undefined ? undefined : new Credentials(token, address.port),
  );
  const closing = new AbortController();
  const sources = {
    bridge,
    hub: watchBridge(bridge, limits),
    uploads: new Slots(limits.maxUploads, 'STREAM_LIMIT', 'uploads'),
    farUploads: new Slots(limits.maxFarUploads, 'STREAM_LIMIT', 'uploads'),
    followers: new Slots(limits.maxFollowers, 'FOLLOWER_LIMIT', 'followers of events'),
    streams: new Slots(limits.maxStreams, 'STREAM_LIMIT', 'streams'),
  };
  const context: ServiceContext = {
    ...sources,
    waits: new Slots(limits.maxWaits, 'STREAM_LIMIT', 'waits for avatars'),
    limits,
    ended: new EndedSpeeches(bridge, limits.keptSpeeches),
    metrics: new Metrics(sources, limits.maxMeteredAgents),
    gate,
    open: new Map(),
    closing: closing.signal,
    startedAt: new Date(),
  };

  if (bridge.handover) handOverEvents(context.hub, bridge.handover);
  const { nats } = given;
  const api = await buildApi(context, nats.length === 0 ? undefined : (entrance) => join(context, entrance));
  const heartbeat = setInterval(() => context.hub.heartbeat(), limits.heartbeatMs).unref();

  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    closing.abort(new BridgeError('SERVICE_CLOSING', 'The service is ending.'));
    clearInterval(heartbeat);
    context.hub.close();
    for (const speech of context.open.keys()) void speech.stop();
    await context.nodes?.close();
    const grace = new AbortController();
    await Promise.race([
      Promise.allSettled(context.open.values()).then(() => grace.abort()),
      delay(bridge.clock, CLOSE_MS, grace.signal).catch(() => undefined),
    ]);
    await api.close();
  };
  const service: Service = {
    url: `${listener.secure ? 'https' : 'http'}://${bracketed(address.host)}:${address.port}`,
    limits,
    close: () => (closed ??= close()),
  };
  bridge.own('the service', () => service.close());
  return service;
}

/** Joins the other nodes. The code is loaded only when an option asks for it. */
async function join(context: ServiceContext, entrance: NodeEntrance): Promise<OtherNodes> {
  const { Cluster, clusterOptions } = await import('../cluster/cluster.js');
  return new Cluster(context, entrance, clusterOptions(context.bridge.options));
}

/** @param joinOthers joins other nodes, if the options ask for it */
async function buildApi(
  context: ServiceContext,
  joinOthers?: (entrance: NodeEntrance) => Promise<OtherNodes>,
): Promise<Api> {
  const { bridge, closing, gate, limits } = context;
  const early = new EarlyRequests();
  let answer!: RequestListener;
  bridge.listener.handleRequests(early.hold);
  const api: Api = Fastify({
    serverFactory: (handler) => {
      answer = handler;
      // An upload takes as long as its sound; each kind of body has its own limit.
      bridge.listener.server.requestTimeout = 0;
      return bridge.listener.server;
    },
    bodyLimit: limits.maxJsonBytes,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 1000 },
    schemaController: COMPILERS,
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, fromThrown(error));
    },
  });

  api.setErrorHandler((error, request, reply) => {
    const known = fromThrown(error);
    if (known.code === 'TOKEN_REQUIRED' && request.routeOptions.config.gate?.page === true) {
      return reply.redirect(`/login?next=${encodeURIComponent(safeNext(request.url))}`, 303);
    }
    if (known.code === 'INTERNAL') {
      const cause = known.cause ?? known;
      bridge.logger.error(
        { route: request.routeOptions.url, error: cause instanceof Error ? cause.stack : cause },
        'a request failed',
      );
    }
    return sendProblem(reply, known);
  });
  api.setNotFoundHandler((request) => {
    const path = request.url.split('?')[0] ?? '';
    throw new BridgeError('ROUTE_UNKNOWN', `There is no ${request.method} ${path.slice(0, 200)}.`);
  });
  api.addHook('onRequest', (request, reply, next) => {
    const rules = request.routeOptions.config.gate ?? {};
    setSecurityHeaders(reply, { page: rules.page === true, secure: bridge.listener.secure });
    const preflight = allowOrigin(gate, request, reply);
    try {
      gate.admit(request.raw, preflight ? { public: true } : rules);
      if (closing.aborted && rules.toTheEnd !== true) throw closing.reason as BridgeError;
      if (preflight) void reply.code(204).send();
      else if (context.nodes?.forward(request, reply) !== true) next();
    } catch (error) {
      next(error as BridgeError);
    }
  });
  boundJsonBodies(api, limits);

  await api.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'mmdagent-audio-bridge',
        version: VERSION,
        description:
          'Makes MMDAgent-EX avatars speak. Errors are problem details (RFC 9457) with a stable `code`.',
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => withJsonBodies(jsonSchemaTransformObject(document)),
  });
  const entrance: NodeEntrance = {
    answer: (request, response) => answer(request, response),
    takeStream: (upgrade) => context.takeStream?.(upgrade) ?? false,
  };
  context.nodes = await joinOthers?.(entrance);
  for (const family of FAMILIES) family(api, context);
  await api.ready();
  bridge.listener.handleRequests(answer);
  early.letIn(answer);
  await context.nodes?.start();
  return api;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Agent } from '../agent/agent.js';
import { BridgeError } from '../base/errors.js';
import type { BridgeHandle } from '../bridge.js';
import type { Speech } from '../speech/speech.js';
import type { EndedSpeeches } from './ended-speeches.js';
import type { EventHub } from './event-hub.js';
import type { Gate } from './gate.js';
import type { Slots, ServiceLimits } from './limits.js';
import type { Metrics } from './metrics.js';
import type { OtherNodes } from './nodes.js';
import { agentJson, type AgentJson } from './schemas.js';
import type { UpgradeRequest } from '../transport/listener.js';

/** Fastify instance with types from zod schemas. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Shared state of the routes. */
export interface ServiceContext {
  readonly bridge: BridgeHandle;
  readonly hub: EventHub;
  readonly limits: ServiceLimits;
  readonly uploads: Slots;
  /** Slots of uploads that are read far ahead. */
  readonly farUploads: Slots;
  readonly followers: Slots;
  readonly streams: Slots;
  /** Slots of commands that wait for an avatar. */
  readonly waits: Slots;
  /** Speeches made by requests, each with the remaining work of its request. */
  readonly open: Map<Speech, Promise<unknown>>;
  readonly ended: EndedSpeeches;
  readonly metrics: Metrics;
  /** Access checks. */
  readonly gate: Gate;
  /** Aborted when the service begins to close. */
  readonly closing: AbortSignal;
  /** Start of the service, wall-clock time. */
  readonly startedAt: Date;
  /** The agents of other nodes, when nodes are joined; set before the first request. */
  nodes?: OtherNodes | undefined;
  /** Takes the upgrade of a stream to an agent of this service; set with the routes. */
  takeStream?: ((upgrade: UpgradeRequest) => boolean) | undefined;
}

/** Returns every known agent, those of other nodes after this service's own. */
export function allAgents({ bridge, nodes }: Pick<ServiceContext, 'bridge' | 'nodes'>): AgentJson[] {
  const own = bridge.agents().map((agent) => agentJson(agent.snapshot()));
  if (!nodes) return own;
  return [...own.map((agent) => ({ ...agent, node: nodes.node })), ...nodes.agents()];
}

/** Adds one family of routes. */
export type RouteFamily = (api: Api, context: ServiceContext) => void;

/**
 * Returns the agent of that name, if the bridge knows it.
 * @throws BridgeError AGENT_UNKNOWN
 */
export function knownAgent(context: ServiceContext, name: string): Agent {
  const agent = context.bridge.findAgent(name);
  if (agent) return agent;
  const names = context.bridge.agents().map(({ name }) => name);
  const known = names.length === 0 ? 'No agent is known yet' : `Known are: ${names.slice(0, 20).join(', ')}`;
  throw new BridgeError('AGENT_UNKNOWN', `There is no agent ${JSON.stringify(name.slice(0, 80))}. ${known}.`);
}

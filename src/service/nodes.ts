import type { IncomingMessage, RequestListener } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BridgeError } from '../base/errors.js';
import type { UpgradeRequest } from '../transport/listener.js';
import type { AgentJson } from './schemas.js';

/** Everything that a node can be allowed to do with the agents of another one. */
export const NODE_VERBS = ['speak', 'say', 'send', 'control', 'events'] as const;

/** What a node can be allowed to do with the agents of another one. */
export type NodeVerb = (typeof NODE_VERBS)[number];

/** Another node that asks, over a connection between nodes. */
export interface NodeCaller {
  readonly node: string;
  /** What this service lets other nodes do. */
  readonly allow: readonly NodeVerb[];
  /** What becomes of its speeches here when the connection to it is lost. */
  readonly whenLost: 'finish' | 'stop';
}

const callers = new WeakMap<object, NodeCaller>();

/** Names the node whose requests come over this connection. The caller's node has looked at who asks. */
export function setNodeCaller(connection: Duplex, caller: NodeCaller): void {
  callers.set(connection, caller);
}

/** The node that a request comes from; nothing for a request that came by this service's own port. */
export function nodeCallerOf({ socket }: Pick<IncomingMessage, 'socket'>): NodeCaller | undefined {
  return callers.get(socket);
}

/**
 * Checks that a request may do this. Requests that came by the service's own port may do everything.
 * @throws BridgeError NODE_DENIED
 */
export function requireVerb(request: Pick<IncomingMessage, 'socket'>, verb: NodeVerb): void {
  const caller = nodeCallerOf(request);
  if (!caller || caller.allow.includes(verb)) return;
  throw new BridgeError('NODE_DENIED', `The node of this agent does not allow '${verb}' from other nodes.`);
}

/** True when the connection to the calling node broke and its speeches go on here all the same. */
export function goesOnWithout({ socket }: Pick<IncomingMessage, 'socket'>): boolean {
  return callers.get(socket)?.whenLost === 'finish' && linkLoss(socket) !== undefined;
}

/** Why the connection to the calling node broke; nothing when it has not. */
export function linkLoss(socket: Duplex): BridgeError | undefined {
  const { errored } = socket;
  return errored instanceof BridgeError && errored.code.startsWith('NODE_') ? errored : undefined;
}

/** The agents of other nodes, as the routes of the service see them. */
export interface OtherNodes {
  /** Name of this node. */
  readonly node: string;
  /** The agents of other nodes, as they were last known. */
  agents(): AgentJson[];
  /** Asks the other nodes for the state of their agents, and waits for them for a moment. */
  refresh(): Promise<void>;
  /** Every node that is known, with this one. */
  nodes(): NodeJson[];
  /**
   * Has a request about an agent of another node, or about agents of several, answered there.
   * @returns false when it is about agents of this node alone
   * @throws BridgeError NODE_UNREACHABLE, AGENT_AMBIGUOUS or AGENT_UNKNOWN
   */
  forward(request: FastifyRequest, reply: FastifyReply): boolean;
  /** The same for the upgrade of a stream. @param name the agent's, decoded */
  forwardStream(upgrade: UpgradeRequest, name: string): boolean;
  /** An agent's name without this node's, when it has it: `a` for `a@kyoto` on node kyoto. */
  localName(name: string): string;
  /**
   * Connects, in the background: without the server everything local goes on. To be called when the service answers.
   * @throws BridgeError OPTION_INVALID, FILE_NOT_FOUND or FILE_UNREADABLE
   */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A node as the API answers it. */
export const NodeSchema = z
  .object({
    name: z.string(),
    self: z.boolean().describe('This is the node that answers.'),
    reachable: z.boolean().describe('Of this node: it reaches the NATS server.'),
    reason: z.string().nullable().describe('Why it is not reachable.'),
    version: z.string(),
    agents: z.int().describe('Agents that are connected.'),
    allow: z.array(z.enum(NODE_VERBS)).describe('What other nodes may do with its agents.'),
  })
  .meta({ id: 'Node' });

/** A node as the API answers it. */
export type NodeJson = z.output<typeof NodeSchema>;

/** What other nodes are let in by: the answers of this service, for connections that do not come by its port. */
export interface NodeEntrance {
  readonly answer: RequestListener;
  readonly takeStream: (upgrade: UpgradeRequest) => boolean;
}

import type { IncomingMessage, RequestListener } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BridgeError } from '../base/errors.js';
import type { UpgradeRequest } from '../transport/listener.js';
import type { AgentJson } from './schemas.js';

/** Permissions that a node can have on the agents of another one. */
export const NODE_VERBS = ['speak', 'say', 'send', 'control', 'events'] as const;

/** Permission of a node on the agents of another one. */
export type NodeVerb = (typeof NODE_VERBS)[number];

/** Calling node of a request over a connection between nodes. */
export interface NodeCaller {
  readonly node: string;
  /** Permissions that this service grants to other nodes. */
  readonly allow: readonly NodeVerb[];
  /** Handling of its speeches here when the connection to it is lost. */
  readonly whenLost: 'finish' | 'stop';
}

const callers = new WeakMap<object, NodeCaller>();

/** Marks a connection as one of another node. That node has checked the original caller. */
export function setNodeCaller(connection: Duplex, caller: NodeCaller): void {
  callers.set(connection, caller);
}

/** Returns the node that a request comes from; undefined for a request by this service's own port. */
export function nodeCallerOf({ socket }: Pick<IncomingMessage, 'socket'>): NodeCaller | undefined {
  return callers.get(socket);
}

/**
 * Checks the permission of a request. Requests by the service's own port may do everything.
 * @throws BridgeError NODE_DENIED
 */
export function requireVerb(request: Pick<IncomingMessage, 'socket'>, verb: NodeVerb): void {
  const caller = nodeCallerOf(request);
  if (!caller || caller.allow.includes(verb)) return;
  throw new BridgeError('NODE_DENIED', `The node of this agent does not allow '${verb}' from other nodes.`);
}

/** True when the connection to the calling node broke and its speeches continue here anyway. */
export function goesOnWithout({ socket }: Pick<IncomingMessage, 'socket'>): boolean {
  return callers.get(socket)?.whenLost === 'finish' && linkLoss(socket) !== undefined;
}

/** Returns why the connection to the calling node broke; undefined when it did not. */
export function linkLoss(socket: Duplex): BridgeError | undefined {
  const { errored } = socket;
  return errored instanceof BridgeError && errored.code.startsWith('NODE_') ? errored : undefined;
}

/** Agents of other nodes, as used by the routes of the service. */
export interface OtherNodes {
  /** Name of this node. */
  readonly node: string;
  /** Returns the last known agents of other nodes. */
  agents(): AgentJson[];
  /** Updates the agents of other nodes, with a short wait for the answers. */
  refresh(): Promise<void>;
  /** Returns every known node, including this one. */
  nodes(): NodeJson[];
  /**
   * Forwards a request about an agent of another node, or about agents of several.
   * @returns false when it is only about agents of this node
   * @throws BridgeError NODE_UNREACHABLE, AGENT_AMBIGUOUS or AGENT_UNKNOWN
   */
  forward(request: FastifyRequest, reply: FastifyReply): boolean;
  /** Forwards the upgrade of a stream in the same way. @param name the agent's, decoded */
  forwardStream(upgrade: UpgradeRequest, name: string): boolean;
  /** Returns an agent's name without this node's: `a` for `a@kyoto` on node kyoto. */
  localName(name: string): string;
  /**
   * Connects in the background; local agents work without the server. Call it when the service answers.
   * @throws BridgeError OPTION_INVALID, FILE_NOT_FOUND or FILE_UNREADABLE
   */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A node in the API. */
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

/** A node in the API. */
export type NodeJson = z.output<typeof NodeSchema>;

/** Entrance for other nodes: the answers of this service, for connections that do not come by its port. */
export interface NodeEntrance {
  readonly answer: RequestListener;
  readonly takeStream: (upgrade: UpgradeRequest) => boolean;
}

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BridgeError } from '../base/errors.js';
import type { BridgeHandle } from '../bridge.js';
import { nodeNameOf } from '../config.js';
import type { ServiceContext } from '../service/context.js';
import { isLocalCaller } from '../service/guards.js';
import {
  NODE_VERBS,
  nodeCallerOf,
  setNodeCaller,
  type NodeEntrance,
  type NodeJson,
  type NodeVerb,
  type OtherNodes,
} from '../service/nodes.js';
import { PROBLEM_TYPE, toProblem } from '../service/problem.js';
import { refuseWithProblem } from '../service/refuse-upgrade.js';
import { agentJson, type AgentJson } from '../service/schemas.js';
import type { UpgradeRequest } from '../transport/listener.js';
import { Bus, type BusOptions } from './bus.js';
import { EventFeed } from './event-feed.js';
import { ask, wholeAnswer } from './forward.js';
import { linkPair, type NodeLink } from './link.js';
import { Links } from './links.js';
import { agentNamed, shownName, type AgentOfNode, type NameView } from './names.js';
import { Peers, type Peer } from './peers.js';
import { Router } from './router.js';
import { StreamRelay } from './stream-relay.js';
import { verbOf } from './verbs.js';

/** Maximum wait for the lists of other nodes, in ms; the last known list is used for late ones. */
const REFRESH_MS = 1000;

/** Options of a node. */
export interface ClusterOptions extends BusOptions {
  /** Actions that other nodes may take on this node's agents. */
  readonly allow: readonly NodeVerb[];
  /** Handling of a speech for another node's caller when the connection to that node is lost. */
  readonly whenLost: 'finish' | 'stop';
}

/** Returns the node options among those of the service. */
export function clusterOptions(given: BridgeHandle['options']): ClusterOptions {
  return {
    servers: given.nats,
    prefix: given.natsPrefix,
    node: nodeNameOf(given),
    allow: NODE_VERBS.filter((verb) => given.natsAllow.includes(verb)),
    whenLost: given.onNodeLost,
    user: given.natsUser,
    password: given.natsPassword,
    token: given.natsToken,
    nkeyFile: given.natsNkey,
    credsFile: given.natsCreds,
    caFile: given.natsCa,
  };
}

/**
 * This service as a node among those on the same NATS server and subject prefix. Requests of other nodes are answered by
 * the service's own routes, over links; requests about agents of other nodes are sent there.
 */
export class Cluster implements OtherNodes {
  readonly node: string;
  readonly #context: ServiceContext;
  readonly #options: ClusterOptions;
  readonly #bus: Bus;
  readonly #links: Links;
  readonly #peers: Peers;
  readonly #feed: EventFeed;
  readonly #server: Server;
  readonly #router: Router;
  readonly #streams: StreamRelay;
  readonly #view: NameView;
  readonly #refreshing = new Map<string, Promise<void>>();

  constructor(context: ServiceContext, entrance: NodeEntrance, options: ClusterOptions) {
    const { bridge, hub, limits } = context;
    const { logger, clock } = bridge;
    const self = { node: options.node, instance: randomBytes(6).toString('hex') };
    this.node = options.node;
    this.#context = context;
    this.#options = options;
    this.#bus = new Bus(options, { logger, clock });
    this.#server = nodeServer(entrance);
    this.#links = new Links({
      bus: this.#bus,
      self,
      onLink: (link) => this.#take(link),
      onGone: (peer) => this.#peers.gone(peer),
    });
    this.#peers = new Peers({
      bus: this.#bus,
      links: () => this.#links,
      self: { ...self, startedAtMs: Date.now(), allow: options.allow },
      report: () => this.#feed.report,
      clock,
      logger,
    });
    const none = new Map<string, AgentJson>();
    this.#view = {
      self: this.node,
      nodes: () => this.#peers.list().map(({ node }) => node),
      agentsOf: (node) =>
        node === this.node
          ? new Map(bridge.agents().map((agent) => [agent.name, agent]))
          : (this.#peers.find(node)?.agents ?? none),
    };
    this.#feed = new EventFeed({
      bus: this.#bus,
      peers: this.#peers,
      hub,
      view: this.#view,
      self,
      tells: options.allow.includes('events'),
      agents: () => [...this.#ownAgents(), ...this.agents()],
      onStale: (peer) => void this.#refresh(peer),
    });
    this.#peers.events.on('stale', ({ peer }) => void this.#refresh(peer));
    const open = (node: string, client: IncomingMessage): NodeLink => this.#open(node, client);
    this.#router = new Router({ view: this.#view, logger, open });
    this.#streams = new StreamRelay({
      view: this.#view,
      logger,
      maxMessageBytes: limits.maxStreamMessageBytes,
    });
    bridge.handover?.events.on('retire', () => this.#peers.retire());
    bridge.handover?.events.on('resume', () => this.#peers.resume());
  }

  async start(): Promise<void> {
    await this.#bus.start();
    this.#peers.start();
  }

  agents(): AgentJson[] {
    return this.#peers.list().flatMap(({ node, agents }) =>
      [...agents.values()].map((agent) => ({
        ...agent,
        name: this.#shown({ node, name: agent.name }),
        node,
      })),
    );
  }

  async refresh(): Promise<void> {
    const asked = this.#peers.list().filter(({ reachable }) => reachable);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, REFRESH_MS)));
    await Promise.race([Promise.all(asked.map((peer) => this.#refresh(peer))), late]);
    clearTimeout(timer);
  }

  nodes(): NodeJson[] {
    return this.#peers.json(this.#ownAgents().filter(({ state }) => state !== 'absent').length);
  }

  localName(name: string): string {
    return name.endsWith(`@${this.node}`) ? name.slice(0, -this.node.length - 1) : name;
  }

  forward(request: FastifyRequest, reply: FastifyReply): boolean {
    // A request of another node concerns the agents of this one.
    if (nodeCallerOf(request.raw)) return false;
    return this.#router.forward(request, reply);
  }

  forwardStream(upgrade: UpgradeRequest, name: string): boolean {
    if (nodeCallerOf(upgrade.request)) return false;
    const agent = agentNamed(this.#view, name);
    if (agent.node === this.node) return false;
    this.#streams.take(upgrade, agent, this.#open(agent.node, upgrade.request));
    return true;
  }

  async close(): Promise<void> {
    this.#feed.close();
    this.#streams.close();
    this.#peers.close();
    this.#links.fail(new BridgeError('NODE_UNREACHABLE', `Node ${this.node} has left.`));
    await this.#bus.close();
    this.#server.close();
  }

  readonly #shown = (agent: AgentOfNode): string => shownName(this.#view, agent);

  #ownAgents(): AgentJson[] {
    return this.#context.bridge
      .agents()
      .map((agent) => ({ ...agentJson(agent.snapshot()), node: this.node }));
  }

  #open(node: string, client: IncomingMessage): NodeLink {
    if (node !== this.node) return this.#links.open(this.#peers.reachable(node));
    // This node's part of a group request goes through a link too, with its caller's own rights.
    const address = isLocalCaller(client) ? client.socket.remoteAddress : undefined;
    const [ours, theirs] = linkPair(node, address);
    setNodeCaller(theirs, { node, allow: NODE_VERBS, whenLost: 'stop' });
    this.#server.emit('connection', theirs);
    return ours;
  }

  #take(link: NodeLink): void {
    const { allow, whenLost } = this.#options;
    setNodeCaller(link, { node: link.peer, allow, whenLost });
    this.#server.emit('connection', link);
  }

  /** Updates the list of a node's agents, one request at a time. Never rejects. */
  #refresh(peer: Peer): Promise<void> {
    const running = this.#refreshing.get(peer.node);
    if (running) return running;
    const asked = this.#askAgents(peer).finally(() => this.#refreshing.delete(peer.node));
    this.#refreshing.set(peer.node, asked);
    return asked;
  }

  async #askAgents(peer: Peer): Promise<void> {
    if (!peer.reachable || !this.#bus.connected) return;
    const link = this.#links.open(peer);
    const timer = setTimeout(() => link.destroy(), REFRESH_MS * 5);
    try {
      const request = ask(link, { method: 'GET', path: '/api/agents', headers: { host: 'localhost' } });
      request.end();
      // Keep the names that they have on that node.
      const { status, json } = await wholeAnswer(link, request, ({ name }) => name);
      if (status === 200) this.#peers.setAgents(peer, (json as { agents: AgentJson[] }).agents);
      this.#feed.checkNames();
    } catch (error) {
      this.#context.bridge.logger.debug(
        { node: peer.node, error: String(error) },
        'the agents of a node could not be listed',
      );
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Server for the permitted requests of other nodes. It listens nowhere: links are its connections. */
function nodeServer({ answer, takeStream }: NodeEntrance): Server {
  const server = createServer((request, response) => {
    const error = refusal(request);
    if (!error) return answer(request, response);
    const problem = toProblem(error);
    response.writeHead(problem.status, { 'content-type': PROBLEM_TYPE, connection: 'close' });
    response.end(JSON.stringify(problem));
  });
  server.requestTimeout = 0;
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (takeStream({ request, url, socket, head })) return;
    refuseWithProblem(socket, new BridgeError('ROUTE_UNKNOWN', `There is no WebSocket at ${url.pathname}.`));
  });
  return server;
}

function refusal(request: IncomingMessage): BridgeError | undefined {
  const path = (request.url ?? '').split('?', 1)[0]!;
  const verb = verbOf(request.method ?? '', path);
  const allow = nodeCallerOf(request)?.allow ?? [];
  if (verb === 'read' || (verb !== undefined && allow.includes(verb))) return undefined;
  const what = verb === undefined ? `${request.method} ${path.slice(0, 200)}` : `'${verb}'`;
  return new BridgeError('NODE_DENIED', `The node of this agent does not allow ${what} from other nodes.`);
}

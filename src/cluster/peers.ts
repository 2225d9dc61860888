import { z } from 'zod';
import type { Clock, Timer } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { VERSION } from '../base/version.js';
import type { NodeJson, NodeVerb } from '../service/nodes.js';
import type { AgentJson } from '../service/schemas.js';
import type { Bus } from './bus.js';
import type { Links, PeerProcess } from './links.js';

/** Interval of a node's presence messages, in ms. */
const BEAT_MS = 1000;
/** Silence after which a node is checked through NATS, in ms. */
const DOUBT_MS = 1500;
/** Silence after which a node is unreachable, in ms. */
const LOST_MS = 5000;
/** Maximum number of remembered nodes, including unreachable ones. */
const MAX_NODES = 256;

/** Name of a node: one token of a NATS subject. */
export const NODE_NAME = /^[\w-]{1,32}$/;

/** Presence message of a node, sent once a second and at each change. */
const PresenceSchema = z.object({
  node: z.string().regex(NODE_NAME),
  instance: z.string().regex(/^[0-9a-f]{1,32}$/),
  startedAtMs: z.number(),
  version: z.string().max(100),
  state: z.enum(['up', 'retiring', 'leaving']),
  /** Counter of changes of its list of agents. */
  revision: z.int(),
  /** Number of its last event. */
  lastEvent: z.int(),
  /** Events that its followers want: positions, and meters. */
  wants: z.object({ positions: z.boolean(), meters: z.boolean() }),
  allow: z.array(z.enum(['speak', 'say', 'send', 'control', 'events'])).max(5),
  /** Set in the first message of a process: the others answer with their own at once. */
  hello: z.boolean().optional(),
});

type Presence = z.output<typeof PresenceSchema>;

/** Another node. */
export interface Peer extends PeerProcess {
  readonly presence: Presence;
  readonly reachable: boolean;
  /** Its agents by their name there, as last received. */
  readonly agents: ReadonlyMap<string, AgentJson>;
}

/** Events of the nodes. */
export interface PeersEvents {
  /** A node is reachable, for the first time or again. `fresh` is true for another process than before. */
  joined: { readonly peer: Peer; readonly fresh: boolean };
  /** A node is not reachable any more, or has left cleanly. */
  lost: {
    readonly peer: Peer;
    readonly error: BridgeError;
    /** Names of its connected agents on that node. */
    readonly connected: readonly string[];
  };
  /** The list of its agents may have changed. */
  stale: { readonly peer: Peer };
  /** A node reported the number of its last event. */
  beat: { readonly peer: Peer };
}

/** Content of this node's own presence message. */
export interface SelfReport {
  readonly revision: number;
  readonly lastEvent: number;
  readonly wants: { readonly positions: boolean; readonly meters: boolean };
}

interface Known {
  node: string;
  instance: string;
  presence: Presence;
  reachable: boolean;
  heardAtMs: number;
  fetchedRevision: number | undefined;
  reason: string | null;
  agents: Map<string, AgentJson>;
}

/** Options of `Peers`. */
export interface PeersOptions {
  readonly bus: Bus;
  readonly links: () => Links;
  readonly self: PeerProcess & { readonly startedAtMs: number; readonly allow: readonly NodeVerb[] };
  readonly report: () => SelfReport;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The other nodes, known by the presence messages that each sends once a second over NATS. Of several processes of one
 * node (a planned restart) the latest counts.
 */
export class Peers {
  readonly events: Emitter<PeersEvents>;
  readonly #options: PeersOptions;
  readonly #known = new Map<string, Known>();
  #state: Presence['state'] = 'up';
  #timer: Timer | undefined;
  #twinToldAtMs = -Infinity;
  /** Time of the last look at the others. */
  #beatAtMs = 0;

  constructor(options: PeersOptions) {
    this.#options = options;
    const { bus, logger } = options;
    this.events = new Emitter((error) =>
      logger.error({ error: error instanceof Error ? error.stack : error }, 'a listener of the nodes threw'),
    );
    bus.subscribe('presence.*', ({ subject, data }) => this.#hear(subject, data));
    bus.events.on('up', () => this.tell(true));
    bus.events.on('down', ({ reason }) => this.#loseAll(reason));
  }

  /** Starts sending presence messages. */
  start(): void {
    const beat = (): void => {
      this.tell();
      this.#expire();
      this.#timer = this.#options.clock.after(BEAT_MS, beat);
    };
    this.#beatAtMs = this.#options.clock.nowMs();
    this.#timer = this.#options.clock.after(BEAT_MS, beat);
  }

  /** Marks this process as retiring: another one of its node has taken over. */
  retire(): void {
    this.#state = 'retiring';
    this.tell();
  }

  /** Undoes `retire`: the process that was to take over is lost. */
  resume(): void {
    this.#state = 'up';
    this.tell();
  }

  /** Announces that this node leaves, and stops. */
  close(): void {
    this.#timer?.cancel();
    // After a planned restart the node still exists, in another process.
    if (this.#state === 'up') {
      this.#state = 'leaving';
      this.tell();
    }
  }

  /** Sends a presence message at once. */
  tell(hello = false): void {
    const { bus, self, report } = this.#options;
    const presence: Presence = {
      node: self.node,
      instance: self.instance,
      startedAtMs: self.startedAtMs,
      version: VERSION,
      state: this.#state,
      ...report(),
      allow: [...self.allow],
      hello,
    };
    bus.publish(`presence.${self.node}`, JSON.stringify(presence));
  }

  /** Returns every other known node. */
  list(): readonly Peer[] {
    return this.#sorted();
  }

  /** Returns a node by its name. */
  find(node: string): Peer | undefined {
    return this.#known.get(node);
  }

  /**
   * Returns a reachable node.
   * @throws BridgeError NODE_UNREACHABLE, with the reason
   */
  reachable(node: string): Peer {
    const { bus } = this.#options;
    const known = this.#known.get(node);
    if (!bus.connected) {
      const message = `Node ${node} cannot be reached: NATS is not reachable (${bus.reason}).`;
      throw new BridgeError('NODE_UNREACHABLE', message);
    }
    if (!known) throw new BridgeError('NODE_UNREACHABLE', `There is no node ${JSON.stringify(node)}.`);
    if (!known.reachable) {
      throw new BridgeError(
        'NODE_UNREACHABLE',
        `Node ${node} cannot be reached: ${known.reason ?? 'unknown'}.`,
      );
    }
    return known;
  }

  /** Replaces the agents of a node by a new list. */
  setAgents(peer: Peer, agents: readonly AgentJson[]): void {
    const known = this.#known.get(peer.node);
    if (known?.instance !== peer.instance) return;
    known.agents = new Map(agents.map((agent) => [agent.name, agent]));
  }

  /** Handles NATS's report that a process receives nothing any more. */
  gone({ node, instance }: PeerProcess): void {
    const known = this.#known.get(node);
    if (known?.instance === instance) return this.#lose(known, 'it is not connected to NATS any more');
    const error = new BridgeError('NODE_UNREACHABLE', `A process of node ${node} has ended.`);
    this.#options.links().fail(error, (peer) => peer.instance === instance);
  }

  /** Returns this node and the others in the API's form. */
  json(ownAgents: number): NodeJson[] {
    const { self, bus } = this.#options;
    const own: NodeJson = {
      name: self.node,
      self: true,
      reachable: bus.connected,
      version: VERSION,
      agents: ownAgents,
      allow: [...self.allow],
      reason: bus.connected ? null : bus.reason,
    };
    const others = this.#sorted().map(({ node, presence, reachable, agents, reason }): NodeJson => ({
      name: node,
      self: false,
      reachable,
      version: presence.version,
      agents: [...agents.values()].filter(({ state }) => state !== 'absent').length,
      allow: [...presence.allow],
      reason: reachable ? null : reason,
    }));
    return [own, ...others];
  }

  #sorted(): Known[] {
    return [...this.#known.values()].sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  #hear(subject: string, data: Uint8Array): void {
    const presence = readPresence(data);
    if (!presence || subject !== `presence.${presence.node}`) return;
    const { self } = this.#options;
    if (presence.hello === true) this.tell();
    if (presence.node === self.node) return this.#twin(presence);
    const known = this.#known.get(presence.node);
    if (!known) {
      if (presence.state !== 'up' || this.#known.size >= MAX_NODES) return;
      return this.#join(presence, true);
    }
    const same = known.instance === presence.instance;
    if (!same && known.reachable && presence.startedAtMs < known.presence.startedAtMs) return;
    if (presence.state === 'leaving') return same ? this.#leave(known) : undefined;
    if (presence.state === 'retiring') return;
    if (!same || !known.reachable) return this.#join(presence, !same);
    known.presence = presence;
    known.heardAtMs = this.#options.clock.nowMs();
    this.#beat(known);
  }

  #join(presence: Presence, fresh: boolean): void {
    const { node, instance } = presence;
    const before = this.#known.get(node);
    const known: Known = {
      node,
      instance,
      presence,
      reachable: true,
      heardAtMs: this.#options.clock.nowMs(),
      fetchedRevision: undefined,
      reason: null,
      agents: before?.agents ?? new Map<string, AgentJson>(),
    };
    this.#known.set(node, known);
    if (!before?.reachable) this.#options.logger.info({ node }, `node ${node} joined`);
    this.events.emit('joined', { peer: known, fresh });
    this.#beat(known);
  }

  #beat(known: Known): void {
    this.events.emit('beat', { peer: known });
    if (known.fetchedRevision === known.presence.revision) return;
    known.fetchedRevision = known.presence.revision;
    this.events.emit('stale', { peer: known });
  }

  /** Handles a process with this node's own name: expected during a planned restart, else a configuration error. */
  #twin({ instance, state, startedAtMs }: Presence): void {
    const { self, clock, logger } = this.#options;
    if (instance === self.instance || this.#state !== 'up' || state !== 'up') return;
    const settled = Math.abs(startedAtMs - Date.now()) > LOST_MS && Date.now() - self.startedAtMs > LOST_MS;
    if (!settled || clock.nowMs() < this.#twinToldAtMs + 60_000) return;
    this.#twinToldAtMs = clock.nowMs();
    logger.warn(
      {},
      `another process also calls itself node ${self.node}: give one of them another name with --node`,
    );
  }

  #expire(): void {
    const { clock, links } = this.#options;
    // While this process itself stood still it read nothing: that is no silence of the others.
    const stalledMs = Math.max(0, clock.nowMs() - this.#beatAtMs - BEAT_MS);
    this.#beatAtMs = clock.nowMs();
    for (const known of this.#known.values()) {
      if (!known.reachable) continue;
      known.heardAtMs = Math.min(known.heardAtMs + stalledMs, clock.nowMs());
      const silentMs = clock.nowMs() - known.heardAtMs;
      if (silentMs > LOST_MS) this.#lose(known, `it was silent for ${Math.round(silentMs / 1000)} s`);
      else if (silentMs > DOUBT_MS) links().ping(known);
    }
    // A retired process sends no presence messages any more.
    for (const peer of links().peers()) {
      if (this.#known.get(peer.node)?.instance !== peer.instance) links().ping(peer);
    }
  }

  #loseAll(reason: string): void {
    const why = `NATS is not reachable: ${reason}`;
    for (const known of this.#known.values()) this.#lose(known, why);
    this.#options
      .links()
      .fail(new BridgeError('NODE_UNREACHABLE', `The connection to the other nodes is lost: ${reason}.`));
  }

  #lose(known: Known, reason: string): void {
    if (!known.reachable) return;
    known.reachable = false;
    known.reason = reason;
    const connected = connectedOf(known);
    known.agents = new Map([...known.agents].map(([name, agent]) => [name, absent(agent)]));
    const error = new BridgeError('NODE_UNREACHABLE', `Node ${known.node} is lost: ${reason}.`);
    this.#options.logger.warn({ node: known.node }, error.message);
    this.#options.links().fail(error, ({ instance }) => instance === known.instance);
    this.events.emit('lost', { peer: known, error, connected });
  }

  #leave(known: Known): void {
    const error = new BridgeError('NODE_UNREACHABLE', `Node ${known.node} has left.`);
    known.reachable = false;
    this.#known.delete(known.node);
    this.#options.logger.info({ node: known.node }, `node ${known.node} left`);
    this.#options.links().fail(error, ({ instance }) => instance === known.instance);
    this.events.emit('lost', { peer: known, error, connected: connectedOf(known) });
  }
}

function connectedOf({ agents }: Known): string[] {
  return [...agents.values()].filter(({ state }) => state !== 'absent').map(({ name }) => name);
}

/** Returns an agent of an unreachable node, as absent. */
function absent(agent: AgentJson): AgentJson {
  return {
    ...agent,
    state: 'absent',
    remote: null,
    connectedMs: null,
    speaking: false,
    heldMs: 0,
    speeches: [],
  };
}

function readPresence(data: Uint8Array): Presence | undefined {
  try {
    return PresenceSchema.safeParse(JSON.parse(Buffer.from(data).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

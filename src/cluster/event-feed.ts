import { z } from 'zod';
import {
  AgentEventSchema,
  eventTime,
  SpeechEventSchema,
  type AgentEventJson,
  type SpeechEventJson,
} from '../service/events.js';
import type { EventHub } from '../service/event-hub.js';
import { toProblem } from '../service/problem.js';
import type { AgentJson } from '../service/schemas.js';
import type { Bus } from './bus.js';
import type { PeerProcess } from './links.js';
import { shownName, type NameView } from './names.js';
import type { Peer, Peers } from './peers.js';
import { RunningSpeeches } from './running.js';

/** Maximum number of tracked speeches of one node, whose end is reported when the node is lost. */
const MAX_RUNNING = 10_000;
/** Events after which the list of a node's agents is requested again. */
const CHANGES = new Set(['connected', 'ready', 'not-ready', 'lost']);

const ToldSchema = z.object({
  instance: z.string(),
  number: z.int(),
  event: z.union([AgentEventSchema, SpeechEventSchema]),
});
const PassedSchema = z.union([AgentEventSchema, SpeechEventSchema]);

/** Options of the cluster-wide events. */
export interface EventFeedOptions {
  readonly bus: Bus;
  readonly peers: Peers;
  readonly hub: EventHub;
  readonly view: NameView;
  readonly self: PeerProcess;
  /** False sends no events of this node to other nodes. */
  readonly tells: boolean;
  /** Returns every agent of every node, for a snapshot. */
  agents(): AgentJson[];
  /** Called when the agents of a node have changed. */
  onStale(peer: Peer): void;
}

interface Heard {
  instance: string;
  /** Number of the last received event. */
  last: number;
  readonly running: RunningSpeeches;
}

/**
 * Sends this node's events to the other nodes, and other nodes' events to the followers of this one. Events are numbered:
 * a lost one is reported as `missed`, as is a node that was away. Positions and meters are sent only while a follower
 * wants them, and may be left out.
 */
export class EventFeed {
  readonly #options: EventFeedOptions;
  readonly #heard = new Map<string, Heard>();
  #number = 0;
  #revision = 0;
  #shown = '';
  /** Unsubscribes from this node's own positions and meters. */
  #unfollow: (() => void) | undefined;
  #passesMeters = false;

  constructor(options: EventFeedOptions) {
    this.#options = options;
    const { bus, peers, hub, view, self } = options;
    hub.nameNode(self.node);
    hub.onPublish((_kept, event) => {
      if (event.node !== self.node) return;
      if (CHANGES.has(event.type)) {
        this.#revision += 1;
        this.checkNames();
        peers.tell();
      }
      this.#tell(event);
    });
    bus.subscribe('events.*', ({ subject, data }) => this.#hear(subject.slice(7), data));
    bus.subscribe('passing.*', ({ subject, data }) => this.#pass(subject.slice(8), data));
    peers.events.on('joined', ({ peer }) => this.#joined(peer));
    peers.events.on('beat', ({ peer }) => {
      this.#upTo(peer, peer.presence.lastEvent);
      this.#followForOthers();
    });
    peers.events.on('lost', ({ peer, error, connected }) => {
      for (const event of this.#heard.get(peer.node)?.running.endAll(error) ?? []) {
        hub.publish({ ...event, node: peer.node });
      }
      for (const name of connected) {
        const agent = shownName(view, { node: peer.node, name });
        hub.publish({ type: 'lost', time: eventTime(), agent, node: peer.node, error: toProblem(error) });
      }
      this.#followForOthers();
      this.checkNames();
    });
  }

  /** State of the events in this node's presence message. */
  get report(): {
    readonly revision: number;
    readonly lastEvent: number;
    readonly wants: { readonly positions: boolean; readonly meters: boolean };
  } {
    const { hub } = this.#options;
    const own = this.#unfollow ? 1 : 0;
    const ownMeters = this.#unfollow && this.#passesMeters ? 1 : 0;
    return {
      revision: this.#revision,
      lastEvent: this.#number,
      wants: { positions: hub.size - own > 0, meters: hub.metered - ownMeters > 0 },
    };
  }

  /** Sends a new snapshot to followers when the shown names of agents have changed. */
  checkNames(): void {
    const agents = this.#options.agents();
    const shown = agents
      .map(({ name }) => name)
      .sort()
      .join(',');
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#options.hub.passAll({ type: 'snapshot', time: eventTime(), agents });
  }

  close(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
  }

  #tell(event: object): void {
    const { bus, self, tells } = this.#options;
    if (!tells) return;
    this.#number += 1;
    // An event that is left out is a gap in the numbers, which the other nodes report.
    bus.offer(
      `events.${self.node}`,
      JSON.stringify({ instance: self.instance, number: this.#number, event }),
    );
  }

  /** Subscribes to this node's own positions and meters while another node's followers want them. */
  #followForOthers(): void {
    const { hub, peers, bus, self, tells } = this.#options;
    const wanting = peers.list().filter(({ reachable }) => reachable);
    const positions = tells && wanting.some(({ presence }) => presence.wants.positions);
    const meters = tells && wanting.some(({ presence }) => presence.wants.meters);
    if (positions === (this.#unfollow !== undefined) && meters === this.#passesMeters) return;
    this.#unfollow?.();
    this.#unfollow = undefined;
    this.#passesMeters = meters;
    if (!positions) return;
    const never = (): void => undefined;
    const off = hub.follow({
      agent: undefined,
      meters,
      catchUp: never,
      end: never,
      drop: never,
      write: () => true,
      pass: (event) => {
        if (event.node === self.node && !bus.behind) bus.offer(`passing.${self.node}`, JSON.stringify(event));
      },
    });
    this.#unfollow = off;
  }

  #joined(peer: Peer): void {
    const { hub } = this.#options;
    const before = this.#heard.get(peer.node);
    const { instance, presence } = peer;
    if (before?.instance === instance) {
      this.#upTo(peer, presence.lastEvent);
    } else {
      const running = before?.running ?? new RunningSpeeches(MAX_RUNNING);
      this.#heard.set(peer.node, { instance, last: presence.lastEvent, running });
      // The last event of the previous process is unknown.
      if (before) hub.publish({ type: 'missed', time: eventTime(), count: null, node: peer.node });
    }
    this.#shown = '';
    this.#options.onStale(peer);
  }

  /** Reports the missing events up to this number. */
  #upTo(peer: Peer, number: number): void {
    const heard = this.#heard.get(peer.node);
    if (heard?.instance !== peer.instance || number <= heard.last) return;
    const count = number - heard.last;
    heard.last = number;
    this.#options.hub.publish({ type: 'missed', time: eventTime(), count, node: peer.node });
    this.#options.onStale(peer);
  }

  #hear(node: string, data: Uint8Array): void {
    const told = read(ToldSchema, data);
    const peer = this.#options.peers.find(node);
    const heard = this.#heard.get(node);
    if (!told || !peer || heard?.instance !== told.instance || told.number <= heard.last) return;
    this.#upTo(peer, told.number - 1);
    heard.last = told.number;
    const event = this.#shownEvent(node, told.event);
    heard.running.hear(event);
    this.#options.hub.publish(event);
    if (CHANGES.has(event.type)) this.#options.onStale(peer);
  }

  #pass(node: string, data: Uint8Array): void {
    const passed = read(PassedSchema, data);
    if (!passed || !this.#options.peers.find(node)) return;
    const event = this.#shownEvent(node, passed);
    this.#heard.get(node)?.running.hear(event);
    if (event.type === 'vitals' || event.type === 'peaks') this.#options.hub.passMeter(event);
    else this.#options.hub.pass(event);
  }

  #shownEvent<Event extends AgentEventJson | SpeechEventJson>(node: string, event: Event): Event {
    return { ...event, agent: shownName(this.#options.view, { node, name: event.agent }), node };
  }
}

function read<Schema extends z.ZodType>(schema: Schema, data: Uint8Array): z.output<Schema> | undefined {
  try {
    return schema.safeParse(JSON.parse(Buffer.from(data).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

import { eventTime, type ServiceEventJson } from './events.js';

/** Receiver of events, as text ready for the wire. */
export interface Follower {
  /** Agent or comma-separated agents whose events are wanted; all by default. */
  readonly agent: string | undefined;
  /** True when it shows meters: it gets peaks and vitals too. */
  readonly meters?: boolean;
  /** Sends the initial text, whatever its size. */
  catchUp(text: string): void;
  /** @returns false when the follower is too slow and must be dropped */
  write(text: string): boolean;
  /** Receives temporary events as objects instead of text. */
  pass?(event: ServiceEventJson & { agent: string }): void;
  /** Called when the hub ends. */
  end(): void;
  /** Called when the follower was too slow: it must be cut off at once. */
  drop(): void;
}

/** Agent and node of an event; an event without an agent concerns everyone. */
export type About = { readonly agent?: string | undefined; readonly node?: string | undefined };

/** True when an agent is among the wanted ones. Names contain no comma. */
export function concerns(wanted: string | undefined, { agent, node }: About): boolean {
  if (wanted === undefined || agent === undefined || wanted === agent) return true;
  const names = wanted.split(',');
  return names.includes(agent) || (node !== undefined && names.includes(`${agent}@${node}`));
}

/** An event stored for followers that reconnect. */
export interface KeptEvent extends About {
  readonly id: number;
  readonly text: string;
}

/** Maximum size of the stored events, in UTF-16 units. */
const MAX_KEPT_BYTES = 2_000_000;

/** Formats an event as a server-sent event (HTML standard, 9.2.5). */
export function eventText(event: ServiceEventJson, id?: number): string {
  const head = id === undefined ? '' : `id: ${id}\n`;
  return `${head}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/**
 * Sends every event to all followers, and stores the last ones for followers that reconnect. Temporary events, such as
 * positions, are sent and not stored. A follower that does not read is dropped and counted, never waited for.
 */
export class EventHub {
  readonly #keptEvents: number;
  readonly #firstId: number;
  readonly #followers = new Set<Follower>();
  readonly #onCount: (followers: number) => void;
  #kept: KeptEvent[] = [];
  #keptBytes = 0;
  #lastId: number;
  #dropped = 0;
  #closed = false;
  #node: string | undefined;
  readonly #onPublish = new Set<(kept: KeptEvent, event: ServiceEventJson) => void>();

  /**
   * @param options.keptEvents maximum number of stored events
   * @param options.firstId first id; higher than any id of an earlier run, so that a follower of that run is told what it
   * missed
   * @param options.onCount called with the number of followers whenever it changes
   */
  constructor(options: { keptEvents: number; firstId: number; onCount?: (followers: number) => void }) {
    this.#keptEvents = options.keptEvents;
    this.#firstId = this.#lastId = options.firstId;
    this.#onCount = options.onCount ?? (() => undefined);
  }

  /** Number of followers. */
  get size(): number {
    return this.#followers.size;
  }

  /** Number of followers that show meters. */
  get metered(): number {
    let count = 0;
    for (const { meters } of this.#followers) if (meters === true) count += 1;
    return count;
  }

  /** Number of followers dropped because they did not read. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds this node's name to every event without one. */
  nameNode(node: string): void {
    this.#node = node;
  }

  /** True for an event of this node, or without joined nodes. */
  isOwn({ node }: ServiceEventJson): boolean {
    return node === undefined || node === this.#node;
  }

  /** Sends an event to its followers, and stores it. */
  publish(given: ServiceEventJson): void {
    const event = this.#named(given);
    this.#lastId += 1;
    const text = eventText(event, this.#lastId);
    const kept: KeptEvent = { id: this.#lastId, ...aboutOf(event), text };
    this.#kept.push(kept);
    this.#keptBytes += text.length;
    this.#trim();
    this.#tell(kept, text);
    for (const listener of this.#onPublish) listener(kept, event);
  }

  #trim(): void {
    while (this.#kept.length > this.#keptEvents || this.#keptBytes > MAX_KEPT_BYTES) {
      this.#keptBytes -= this.#kept.shift()!.text.length;
    }
  }

  /** Stored events. */
  get kept(): readonly KeptEvent[] {
    return this.#kept;
  }

  /** Calls `listener` for every event published from now on. @returns unsubscribes */
  onPublish(listener: (kept: KeptEvent, event: ServiceEventJson) => void): () => void {
    this.#onPublish.add(listener);
    return () => void this.#onPublish.delete(listener);
  }

  /** Adds the stored events of an earlier process, for its followers that reconnect here. */
  inherit(events: readonly KeptEvent[]): void {
    const all = [...this.#kept, ...events].sort((a, b) => a.id - b.id);
    this.#kept = all;
    this.#keptBytes = all.reduce((sum, { text }) => sum + text.length, 0);
    this.#trim();
  }

  /** Sends a temporary event to the current followers without storing it. */
  pass(event: ServiceEventJson & { agent: string }): void {
    if (this.#followers.size > 0) this.#pass(event, () => true);
  }

  /** Same as `pass`, for an event without an agent. */
  passAll(event: ServiceEventJson): void {
    if (this.#followers.size > 0) this.#tell({}, eventText(event));
  }

  /** Same as `pass`, for followers that show meters. */
  passMeter(event: ServiceEventJson & { agent: string }): void {
    if (this.metered > 0) this.#pass(event, ({ meters }) => meters === true);
  }

  /**
   * Adds a follower and sends it the events it has missed.
   * @param options.lastId id of the last event it received, when it reconnects
   * @param options.then sends further text before any new event
   * @returns removes the follower
   */
  follow(
    follower: Follower,
    options: { lastId?: number; then?: readonly ServiceEventJson[] } = {},
  ): () => void {
    if (this.#closed) {
      follower.end();
      return () => undefined;
    }
    this.#followers.add(follower);
    this.#onCount(this.#followers.size);
    const { lastId, then = [] } = options;
    if (lastId !== undefined) for (const text of this.#since(lastId, follower.agent)) follower.catchUp(text);
    for (const event of then) follower.catchUp(eventText(event));
    return () => this.#remove(follower);
  }

  /** Sends every follower a comment, which readers ignore, as a sign that the connection lives. */
  heartbeat(): void {
    for (const follower of [...this.#followers]) this.#write(follower, ': alive\n\n');
  }

  /** Ends every follower after a last event. */
  close(): void {
    this.#closed = true;
    this.#endAll('closing');
  }

  /** Ends every follower after a last event that asks it to reconnect to the next process. */
  moveOn(): void {
    this.#endAll('restarting');
  }

  #endAll(type: 'closing' | 'restarting'): void {
    const text = eventText({ type, time: eventTime() });
    for (const follower of [...this.#followers]) {
      if (this.#write(follower, text)) follower.end();
      this.#remove(follower);
    }
  }

  *#since(lastId: number, agent: string | undefined): Generator<string> {
    const oldest = this.#kept[0]?.id ?? this.#lastId + 1;
    if (lastId < oldest - 1 || lastId > this.#lastId) {
      const ofThisRun = lastId >= this.#firstId && lastId <= this.#lastId;
      const count = ofThisRun ? oldest - 1 - lastId : null;
      yield eventText({ type: 'missed', time: eventTime(), count });
    }
    for (const kept of this.#kept) {
      if (kept.id > lastId && concerns(agent, kept)) yield kept.text;
    }
  }

  #tell(about: About, text: string): void {
    for (const follower of [...this.#followers]) {
      if (concerns(follower.agent, about)) this.#write(follower, text);
    }
  }

  #pass(given: ServiceEventJson & { agent: string }, whom: (follower: Follower) => boolean): void {
    const event = this.#named(given);
    const text = eventText(event);
    for (const follower of [...this.#followers]) {
      if (!whom(follower) || !concerns(follower.agent, event)) continue;
      if (follower.pass) follower.pass(event);
      else this.#write(follower, text);
    }
  }

  #named<Event extends ServiceEventJson>(event: Event): Event {
    return this.#node === undefined || event.node !== undefined ? event : { ...event, node: this.#node };
  }

  #write(follower: Follower, text: string): boolean {
    if (!this.#followers.has(follower)) return false;
    if (follower.write(text)) return true;
    this.#dropped += 1;
    this.#remove(follower);
    follower.drop();
    return false;
  }

  #remove(follower: Follower): void {
    if (this.#followers.delete(follower)) this.#onCount(this.#followers.size);
  }
}

function aboutOf(event: ServiceEventJson): About {
  return { agent: 'agent' in event ? event.agent : undefined, node: event.node };
}

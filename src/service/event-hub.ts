import { eventTime, type ServiceEventJson } from './events.js';

/** Who is told of events, as text that is ready for the wire. */
export interface Follower {
  /** Only events of this agent, or of these, with commas between them. */
  readonly agent: string | undefined;
  /** It draws meters: it is told of peaks and vitals too. */
  readonly meters?: boolean;
  /** What it is owed at its start, however much that is. */
  catchUp(text: string): void;
  /** @returns false when it does not keep up and must be dropped */
  write(text: string): boolean;
  /** Is handed passing events as they are, in the place of their text. */
  pass?(event: ServiceEventJson & { agent: string }): void;
  /** The hub ends. */
  end(): void;
  /** It was too slow: it is cut off at once. */
  drop(): void;
}

/** Agent and node that an event is about; without an agent it concerns everybody. */
export type About = { readonly agent?: string | undefined; readonly node?: string | undefined };

/** True when an agent is among those that were asked for. No name has a comma in it. */
export function concerns(wanted: string | undefined, { agent, node }: About): boolean {
  if (wanted === undefined || agent === undefined || wanted === agent) return true;
  const names = wanted.split(',');
  return names.includes(agent) || (node !== undefined && names.includes(`${agent}@${node}`));
}

/** An event that is kept for those who come back. */
export interface KeptEvent extends About {
  readonly id: number;
  readonly text: string;
}

/** Most text that is kept for those who come back, in UTF-16 units. */
const MAX_KEPT_BYTES = 2_000_000;

/** An event as server-sent events have it (HTML standard, 9.2.5). */
export function eventText(event: ServiceEventJson, id?: number): string {
  const head = id === undefined ? '' : `id: ${id}\n`;
  return `${head}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/**
 * Hands every event to whoever follows, and keeps the last of them for those who come back. Positions are passed on and
 * not kept. A follower that does not read is dropped and counted, never waited for.
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
   * @param options.keptEvents how many events are kept
   * @param options.firstId ids count up from here; higher than any id of a run before, so that a follower of that run is
   * told what it missed
   * @param options.onCount is told how many follow whenever that changes
   */
  constructor(options: { keptEvents: number; firstId: number; onCount?: (followers: number) => void }) {
    this.#keptEvents = options.keptEvents;
    this.#firstId = this.#lastId = options.firstId;
    this.#onCount = options.onCount ?? (() => undefined);
  }

  /** How many follow. */
  get size(): number {
    return this.#followers.size;
  }

  /** How many of them draw meters. */
  get metered(): number {
    let count = 0;
    for (const { meters } of this.#followers) if (meters === true) count += 1;
    return count;
  }

  /** Followers dropped so far because they did not read. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Names this node in every event that names none. */
  nameNode(node: string): void {
    this.#node = node;
  }

  /** True for an event of this node, or where nodes are not joined. */
  isOwn({ node }: ServiceEventJson): boolean {
    return node === undefined || node === this.#node;
  }

  /** Tells everyone, and keeps it. */
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

  /** The events that are kept now. */
  get kept(): readonly KeptEvent[] {
    return this.#kept;
  }

  /** Tells `listener` of every event that is published from now on. @returns ends it */
  onPublish(listener: (kept: KeptEvent, event: ServiceEventJson) => void): () => void {
    this.#onPublish.add(listener);
    return () => void this.#onPublish.delete(listener);
  }

  /** Keeps what the hub of an earlier process kept, for followers of that one who come here. */
  inherit(events: readonly KeptEvent[]): void {
    const all = [...this.#kept, ...events].sort((a, b) => a.id - b.id);
    this.#kept = all;
    this.#keptBytes = all.reduce((sum, { text }) => sum + text.length, 0);
    this.#trim();
  }

  /** Tells everyone who follows now, and keeps nothing: for what is soon stale. */
  pass(event: ServiceEventJson & { agent: string }): void {
    if (this.#followers.size > 0) this.#pass(event, () => true);
  }

  /** As `pass`, for what concerns no single agent. */
  passAll(event: ServiceEventJson): void {
    if (this.#followers.size > 0) this.#tell({}, eventText(event));
  }

  /** As `pass`, for those who draw meters. */
  passMeter(event: ServiceEventJson & { agent: string }): void {
    if (this.metered > 0) this.#pass(event, ({ meters }) => meters === true);
  }

  /**
   * Adds a follower and tells it what it has missed.
   * @param options.lastId the last event it has seen, when it comes back
   * @param options.then what it is told after that, before anything new
   * @returns ends it
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

  /** Shows every follower that the connection lives; a comment of the format, which readers pass over. */
  heartbeat(): void {
    for (const follower of [...this.#followers]) this.#write(follower, ': alive\n\n');
  }

  /** Ends every follower, each with a last event. */
  close(): void {
    this.#closed = true;
    this.#endAll('closing');
  }

  /** Ends every follower, each with a last event that tells it to come back: another process goes on. */
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

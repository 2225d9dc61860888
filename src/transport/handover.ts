import { delay, within, type Clock } from '../base/clock.js';
import type { AgentSnapshot } from '../agent/snapshot.js';
import { Emitter } from '../base/emitter.js';
import type { Logger } from '../base/logger.js';
import type { PreviousWorker } from '../agent/previous-worker.js';
import type { AgentRegistry } from '../agent/registry.js';
import type { KeeperClient } from '../keeper/keeper-client.js';
import { enterBy } from './entrance.js';
import type { ListenAddress, Listener } from './listener.js';
import type { AvatarRoute } from './websocket.js';

/** How long requests that are being answered may take after the last speech, in ms. */
const ANSWER_MS = 5000;
/** How long speeches may go on when another process has taken over, in ms. */
const HAND_OVER_MS = 600_000;

/** What an interruption has ended. */
type Interruption = Awaited<ReturnType<PreviousWorker['interrupt']>>;

/** What one worker tells the one after or before it. An older or newer worker may not know a word: it passes over it. */
export type Word =
  /** To the one after: these agents come once they have nothing more to say. */
  | { readonly word: 'expect'; readonly names: readonly string[] }
  /** …and this one does not: its connection is gone. */
  | { readonly word: 'gone'; readonly name: string }
  /** The answer to everything that has been told so far. */
  | { readonly word: 'understood' }
  /** …these are what they are doing, told every now and then until they come. */
  | { readonly word: 'state'; readonly agents: readonly AgentSnapshot[] }
  /** To the one before: hold or go on with what this agent speaks. */
  | { readonly word: 'pause' | 'resume'; readonly name: string }
  /** …end all of it; what was heard is told with the same number. */
  | {
      readonly word: 'interrupt';
      readonly name: string;
      readonly number: number;
      readonly fadeMs?: number | undefined;
    }
  /** …end one of its speeches. */
  | {
      readonly word: 'stop';
      readonly name: string;
      readonly id: string;
      readonly fadeMs?: number | undefined;
    }
  /** …make it louder or quieter. */
  | { readonly word: 'volume'; readonly name: string; readonly gainDb: number }
  /** …send it a command. */
  | { readonly word: 'command'; readonly name: string; readonly line: string }
  /** To the one after: what an interruption has ended. */
  | ({ readonly word: 'interrupted'; readonly number: number } & Interruption)
  /** …events of the service, for those who follow them. */
  | { readonly word: 'events'; readonly events: readonly unknown[] };

/** How often what the agents are doing is told, in ms. */
const STATE_EVERY_MS = 250;

/** What happens between a worker and those before and after it. */
export interface HandoverEvents {
  /** Another process has taken over; what must be told it first is told by a listener of this. */
  retire: undefined;
  /** That process knows all that was told it in `retire`: who follows this one may go there. */
  understood: undefined;
  /** Events that the process before has told. */
  events: readonly unknown[];
}

/** What a worker is made of, as far as it is handed on. */
export interface HandoverParts {
  readonly keeperClient: KeeperClient;
  readonly address: ListenAddress;
  readonly registry: Pick<AgentRegistry, 'list' | 'find' | 'expect' | 'handOver'>;
  readonly listener: Listener;
  readonly avatars: AvatarRoute;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A bridge behind a keeper: what it takes over from the process before, and hands to the next one. */
export class Handover {
  readonly events = new Emitter<HandoverEvents>();
  readonly #parts: HandoverParts;
  #retiring = false;
  /** What the process before last told of its agents. */
  readonly #told = new Map<string, AgentSnapshot>();
  /** Who waits to hear what an interruption there has ended. */
  readonly #interruptions = new Map<number, (ended: Interruption) => void>();
  #lastNumber = 0;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  /** True while the keeper is there. */
  get kept(): boolean {
    return this.#parts.keeperClient.open;
  }

  /**
   * Takes connections from now on; whoever serves beside the avatars is ready by then.
   * @param on.stop the service is to end
   * @param on.over this process has nothing more to do: another has taken over, and everything has been handed to it
   */
  enter(on: { stop(): void; over(): void }): void {
    const { keeperClient, listener, avatars } = this.#parts;
    enterBy(keeperClient, listener, avatars, {
      stop: () => on.stop(),
      crowded: (now) => this.#parts.registry.list().forEach((agent) => agent.brace(now)),
      retire: () => void this.#retire().then(() => on.over()),
      relayed: (data) => this.#hear(data as Word),
      orphaned: () => this.#goOnAlone(() => on.over()),
    });
  }

  /** Asks the keeper for a planned restart. */
  restart(): void {
    this.#parts.keeperClient.restart();
  }

  /** Tells the process after, once this one retires; before that, the one before. */
  tell(word: Word): void {
    this.#parts.keeperClient.relay(word);
  }

  async #retire(): Promise<void> {
    const { registry, listener, clock } = this.#parts;
    this.#retiring = true;
    const here = registry.list().filter(({ state }) => state !== 'absent');
    for (const agent of here) {
      agent.on('lost', ({ code }) => {
        if (code !== 'RESTARTING') this.tell({ word: 'gone', name: agent.name });
      });
    }
    this.tell({ word: 'expect', names: here.map(({ name }) => name) });
    this.#tellState();
    this.events.emit('retire', undefined);
    const answered = listener.retire();
    await within(clock, HAND_OVER_MS, (late) => registry.handOver(late));
    const grace = new AbortController();
    await Promise.race([
      answered.then(() => grace.abort()),
      delay(clock, ANSWER_MS, grace.signal).catch(() => undefined),
    ]);
  }

  /** Tells of the agents that are here until the last of them has gone over. */
  #tellState(): void {
    if (this.#tellNow() > 0) this.#parts.clock.after(STATE_EVERY_MS, () => this.#tellState());
  }

  /** @returns how many agents there were to tell of */
  #tellNow(): number {
    const here = this.#parts.registry.list().filter(({ state }) => state !== 'absent');
    if (here.length > 0) this.tell({ word: 'state', agents: here.map((agent) => agent.snapshot()) });
    return here.length;
  }

  #hear(word: Word): void {
    const { registry, logger } = this.#parts;
    switch (word.word) {
      case 'expect':
        for (const name of word.names) registry.expect(name, HAND_OVER_MS, this.#previousWorker(name));
        return this.tell({ word: 'understood' });
      case 'gone':
        this.#told.delete(word.name);
        return registry.expect(word.name, 0);
      case 'events':
        return this.events.emit('events', word.events);
      case 'understood':
        return this.events.emit('understood', undefined);
      case 'state':
        for (const agent of word.agents) this.#told.set(agent.name, agent);
        return;
      case 'interrupt': {
        const { name, number, fadeMs } = word;
        return void registry
          .find(name)
          ?.interrupt(fadeMs === undefined ? {} : { fadeMs })
          .then((ended) => {
            this.#tellNow();
            this.tell({ word: 'interrupted', number, ...ended });
          });
      }
      case 'interrupted':
        this.#interruptions.get(word.number)?.(word);
        return;
      case 'stop':
        return void registry
          .find(word.name)
          ?.speeches.find(({ id }) => id === word.id)
          ?.stop(word.fadeMs === undefined ? {} : { fadeMs: word.fadeMs });
      case 'volume':
        return registry.find(word.name)?.volume(word.gainDb);
      case 'pause':
        return registry.find(word.name)?.pause();
      case 'resume':
        return registry.find(word.name)?.resume();
      case 'command':
        registry
          .find(word.name)
          ?.send(word.line)
          .catch((error: unknown) => logger.warn({ error: String(error) }, 'a command could not be sent'));
    }
  }

  #previousWorker(name: string): PreviousWorker {
    const told = (): AgentSnapshot | undefined => this.#told.get(name);
    return {
      get snapshot() {
        return told();
      },
      interrupt: ({ fadeMs } = {}) => this.#interrupt(name, fadeMs),
      stop: (id, fadeMs) => this.tell({ word: 'stop', name, id, fadeMs }),
      volume: (gainDb) => this.tell({ word: 'volume', name, gainDb }),
      pause: () => this.tell({ word: 'pause', name }),
      resume: () => this.tell({ word: 'resume', name }),
      send: (line) => this.tell({ word: 'command', name, line }),
    };
  }

  /** One that does not answer, because it is older or has just ended, is taken at what it told last. */
  async #interrupt(name: string, fadeMs: number | undefined): Promise<Interruption> {
    const number = (this.#lastNumber += 1);
    const [sounding, ...waiting] = this.#told.get(name)?.speeches ?? [];
    const over = new AbortController();
    const answer = new Promise<Interruption>((resolve) => this.#interruptions.set(number, resolve));
    this.tell({ word: 'interrupt', name, number, fadeMs });
    const last: Interruption = { heardMs: sounding?.positionMs ?? 0, dropped: waiting.length };
    const silence = delay(this.#parts.clock, ANSWER_MS, over.signal).then(
      () => last,
      () => last,
    );
    const ended = await Promise.race([answer, silence]);
    over.abort();
    this.#interruptions.delete(number);
    return { heardMs: ended.heardMs, dropped: ended.dropped };
  }

  /** The keeper is gone. The avatars live by this process alone now: it goes on while there are any. */
  #goOnAlone(over: () => void): void {
    const { registry, listener, logger, address } = this.#parts;
    const here = registry.list().filter(({ state }) => state !== 'absent');
    if (here.length === 0) return over();
    const tell = (): void =>
      logger.error(
        {},
        `the keeper is gone: this process (${process.pid}) goes on alone until its last avatar has gone`,
      );
    for (const agent of here) {
      agent.on('lost', () => {
        if (registry.list().every(({ state }) => state === 'absent')) over();
      });
    }
    if (this.#retiring) return tell();
    listener.listen(address).then(tell, (error: unknown) => {
      tell();
      logger.error({ error: String(error) }, 'the port could not be taken over');
    });
  }
}

import { delay, within, type Clock } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Agent } from '../agent/agent.js';
import type { AgentRegistry } from '../agent/registry.js';
import type { KeeperClient } from '../keeper/keeper-client.js';
import type { ListenAddress, Listener } from './listener.js';
import type { TcpAvatars } from './tcp.js';
import type { AvatarRoute } from './websocket.js';

/** Maximum time for open requests after the last speech, in ms. */
const ANSWER_MS = 5000;
/** Maximum time for open speeches after another process has taken over, in ms. */
const HAND_OVER_MS = 600_000;
/** Interval at which a process without a keeper tries to take the port from another one, in ms. */
const PORT_RETRY_MS = 500;

/** Result of an interruption. */
interface Interruption {
  readonly heardMs: number;
  readonly dropped: number;
}

/** Message between a worker and the one after or before it. Older or newer workers skip words that they do not know. */
export type Word =
  /** To the next worker: these agents follow once their speeches have ended. */
  | { readonly word: 'expect'; readonly names: readonly string[] }
  /** To the next worker: an announced agent does not follow, since its connection is lost. */
  | { readonly word: 'gone'; readonly name: string }
  /** Answer to `expect`. */
  | { readonly word: 'understood' }
  /** To the previous worker: end everything this agent speaks; the answer has the same number. */
  | {
      readonly word: 'interrupt';
      readonly name: string;
      readonly number: number;
      readonly fadeMs?: number | undefined;
    }
  /** To the next worker: result of an interruption. */
  | ({ readonly word: 'interrupted'; readonly number: number } & Interruption)
  /** To the next worker: events of the service, for its followers. */
  | { readonly word: 'events'; readonly events: readonly unknown[] };

/** Events between a worker and those before and after it. */
export interface HandoverEvents {
  /** Another process takes over; listeners send what it must know first. */
  retire: undefined;
  /** The other process knows everything sent in `retire`: followers of this one may reconnect there. */
  understood: undefined;
  /** The process that was to take over is lost with the keeper: this one continues. */
  resume: undefined;
  /** Events reported by the previous process. */
  events: readonly unknown[];
}

/** Parts of a worker that take part in a handover. */
export interface HandoverParts {
  readonly keeperClient: KeeperClient;
  readonly address: ListenAddress;
  readonly registry: Pick<AgentRegistry, 'list' | 'find' | 'expect' | 'handOver' | 'takeBack'> & {
    readonly events: { on(event: 'agent', listener: (agent: Agent) => void): unknown };
  };
  readonly listener: Listener;
  readonly avatars: AvatarRoute;
  readonly tcpAvatars: TcpAvatars;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Handover of a bridge behind a keeper: takes over from the previous process, and hands over to the next one. */
export class Handover {
  readonly events = new Emitter<HandoverEvents>();
  readonly #parts: HandoverParts;
  #state: 'serving' | 'retiring' | 'orphaned' = 'serving';
  /** Callers that wait for the result of an interruption in the previous process. */
  readonly #interruptions = new Map<number, (ended: Interruption) => void>();
  #lastNumber = 0;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  /** True while the keeper is connected. */
  get kept(): boolean {
    return this.#parts.keeperClient.open;
  }

  /**
   * Accepts connections from now on; everything that serves beside the avatars must be ready by then.
   * @param on.stop called when the service must end
   * @param on.over called when this process has nothing left to do: everything has been handed to another process
   */
  enter(on: { stop(): void; over(): void }): void {
    const { keeperClient, listener, avatars, tcpAvatars, registry } = this.#parts;
    keeperClient.enter({
      fresh: (socket, heldSocket, entrance) => {
        if (entrance === undefined) listener.take(socket, heldSocket);
        else tcpAvatars.take(socket, heldSocket, entrance);
      },
      held: (socket, heldSocket, state, entrance) => {
        if (entrance !== undefined) tcpAvatars.adopt(socket, heldSocket, state, entrance);
        else if (state.stage === 'request') listener.takeAgain(socket, heldSocket);
        else avatars.adopt(socket, heldSocket, state);
      },
      stop: () => on.stop(),
      crowded: (now) => registry.list().forEach((agent) => agent.brace(now)),
      retire: () =>
        void this.#retire().then(() => {
          if (this.#state === 'retiring') on.over();
        }),
      relayed: (data) => this.#hear(data as Word),
      orphaned: () => this.#goOnAlone(() => on.over()),
    });
  }

  /** Asks the keeper for a planned restart. */
  restart(): void {
    this.#parts.keeperClient.restart();
  }

  /** Sends a word to the next process while retiring; before that, to the previous one. */
  tell(word: Word): void {
    this.#parts.keeperClient.relay(word);
  }

  async #retire(): Promise<void> {
    const { registry, listener, clock } = this.#parts;
    this.#state = 'retiring';
    // Agents among them that are still expected here go from the previous process directly to the next one.
    const agents = registry.list().filter(({ state }) => state !== 'absent');
    for (const agent of agents) {
      agent.on('lost', ({ code }) => {
        if (code !== 'RESTARTING') this.tell({ word: 'gone', name: agent.name });
      });
    }
    this.tell({ word: 'expect', names: agents.map(({ name }) => name) });
    this.events.emit('retire', undefined);
    const answered = listener.retire();
    await within(clock, HAND_OVER_MS, (late) => registry.handOver(late));
    const grace = new AbortController();
    await Promise.race([
      answered.then(() => grace.abort()),
      delay(clock, ANSWER_MS, grace.signal).catch(() => undefined),
    ]);
  }

  #hear(word: Word): void {
    const { registry } = this.#parts;
    switch (word.word) {
      case 'expect':
        for (const name of word.names) {
          registry.expect(name, HAND_OVER_MS, ({ fadeMs } = {}) => this.#interrupt(name, fadeMs));
        }
        return this.tell({ word: 'understood' });
      case 'gone':
        return registry.expect(word.name, 0);
      case 'events':
        return this.events.emit('events', word.events);
      case 'understood':
        return this.events.emit('understood', undefined);
      case 'interrupt':
        return this.#interruptHere(word);
      case 'interrupted':
        this.#interruptions.get(word.number)?.(word);
        return;
    }
  }

  #interruptHere({ name, number, fadeMs }: Word & { word: 'interrupt' }): void {
    const agent = this.#parts.registry.find(name);
    // If it is not here yet either, the process that has it answers.
    if (!agent || agent.handover) return;
    void agent.interrupt(fadeMs === undefined ? {} : { fadeMs }).then(({ heardMs, dropped }) => {
      this.tell({ word: 'interrupted', number, heardMs, dropped });
    });
  }

  /** @throws BridgeError RESTARTING when the process before does not answer */
  async #interrupt(name: string, fadeMs: number | undefined): Promise<Interruption> {
    const number = (this.#lastNumber += 1);
    const answered = new AbortController();
    const answer = new Promise<Interruption>((resolve) => this.#interruptions.set(number, resolve));
    this.tell({ word: 'interrupt', name, number, fadeMs });
    const late = delay(this.#parts.clock, ANSWER_MS, answered.signal).then(() => {
      throw new BridgeError(
        'RESTARTING',
        `The service’s previous process has not told that agent ${name} is silent.`,
      );
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      late.catch(() => undefined);
      answered.abort();
      this.#interruptions.delete(number);
    }
  }

  /**
   * Continues without a keeper. The avatars here depend on this process alone now: it takes the port and continues until
   * the last of them has disconnected, also when another process was taking over from it.
   */
  #goOnAlone(over: () => void): void {
    const { registry, listener, tcpAvatars, logger } = this.#parts;
    const wasRetiring = this.#state === 'retiring';
    this.#state = 'orphaned';
    registry.takeBack();
    const end = new AbortController();
    const check = (): void => {
      if (end.signal.aborted || registry.list().some(({ state }) => state !== 'absent')) return;
      end.abort();
      over();
    };
    for (const agent of registry.list()) agent.on('lost', check);
    registry.events.on('agent', (agent) => agent.on('lost', check));
    check();
    if (end.signal.aborted) return;
    if (wasRetiring) {
      listener.resume();
      this.events.emit('resume', undefined);
    }
    logger.error(
      {},
      `the keeper is gone: this process (${process.pid}) goes on alone until its last avatar has gone`,
    );
    tcpAvatars.openAlone();
    void this.#takePort(end.signal, wasRetiring ? PORT_RETRY_MS : 0);
  }

  /**
   * Listens on the port as soon as no other process does.
   * @param afterMs delay in favour of the process that was taking over: it may have avatars too
   */
  async #takePort(end: AbortSignal, afterMs: number): Promise<void> {
    const { listener, logger, address, clock } = this.#parts;
    await delay(clock, afterMs, end).catch(() => undefined);
    for (let told = false; !end.aborted;) {
      try {
        await listener.listen(address);
        return;
      } catch (error) {
        if (!told) logger.error({ error: String(error) }, 'the port is not free yet; it is tried again');
        told = true;
      }
      await delay(clock, PORT_RETRY_MS, end).catch(() => undefined);
    }
  }
}

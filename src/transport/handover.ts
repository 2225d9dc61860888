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

/** How long requests that are being answered may take after the last speech, in ms. */
const ANSWER_MS = 5000;
/** How long speeches may go on when another process has taken over, in ms. */
const HAND_OVER_MS = 600_000;
/** How often a process without a keeper tries to take the port while another one has it, in ms. */
const PORT_RETRY_MS = 500;

/** What an interruption has ended. */
interface Interruption {
  readonly heardMs: number;
  readonly dropped: number;
}

/** What one worker tells the one after or before it. An older or newer worker may not know a word: it passes over it. */
export type Word =
  /** To the one after: these agents come once they have nothing more to say. */
  | { readonly word: 'expect'; readonly names: readonly string[] }
  /** …and this one does not: its connection is gone. */
  | { readonly word: 'gone'; readonly name: string }
  /** The answer to `expect`. */
  | { readonly word: 'understood' }
  /** To the one before: end all that this agent speaks; what was heard is told with the same number. */
  | {
      readonly word: 'interrupt';
      readonly name: string;
      readonly number: number;
      readonly fadeMs?: number | undefined;
    }
  /** To the one after: what an interruption has ended. */
  | ({ readonly word: 'interrupted'; readonly number: number } & Interruption)
  /** …events of the service, for those who follow them. */
  | { readonly word: 'events'; readonly events: readonly unknown[] };

/** What happens between a worker and those before and after it. */
export interface HandoverEvents {
  /** Another process takes over; what must be told it first is told by a listener of this. */
  retire: undefined;
  /** That process knows all that was told it in `retire`: who follows this one may go there. */
  understood: undefined;
  /** The process that was to take over is gone with the keeper: this one goes on. */
  resume: undefined;
  /** Events that the process before has told. */
  events: readonly unknown[];
}

/** The parts of a worker that are handed over. */
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

/** A bridge behind a keeper: what it takes over from the process before, and hands to the next one. */
export class Handover {
  readonly events = new Emitter<HandoverEvents>();
  readonly #parts: HandoverParts;
  #state: 'serving' | 'retiring' | 'orphaned' = 'serving';
  /** Who waits to hear what an interruption in the process before has ended. */
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

  /** Tells the process after, once this one retires; before that, the one before. */
  tell(word: Word): void {
    this.#parts.keeperClient.relay(word);
  }

  async #retire(): Promise<void> {
    const { registry, listener, clock } = this.#parts;
    this.#state = 'retiring';
    // Those among them that are still on their way here go from the process before to the next one.
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
    // Where it is not here yet either, the process that has it answers.
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
   * The keeper is gone. The avatars that are here live by this process alone now: it takes the port and goes on until
   * the last of them has gone, also when another process was taking over from it.
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
   * Listens as soon as no other process does.
   * @param afterMs a head start for the process that was taking over: it may have avatars too
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

import { Socket } from 'node:net';
import type { EntranceAddress } from './entrance.js';
import { SharedState, type SlotState, type SlotWriter } from './shared-state.js';
import {
  KEEPER_ENV,
  type KeeperInvitation,
  type KeeperWishes,
  type ToKeeper,
  type ToWorker,
} from './messages.js';

/** One connection that the keeper holds a copy of. */
export interface HeldSocket {
  /** Where its state is written down for a successor. */
  readonly line: SlotWriter;
  /** Says that the connection is closed or nobody need hold it; the keeper closes its copy. Once; more does nothing. */
  release(): void;
  /** False once the keeper is gone: nobody else holds it, and nobody could take it over. */
  readonly held: boolean;
  /** Gives it to the worker that has taken over. This process must have closed its own copy. Once, as `release`. */
  pass(): void;
}

/** What comes through the keeper client. */
export interface KeeperClientListener {
  /** A connection nobody has read from yet. @param entrance the key of the entrance by which it came; none for the port */
  fresh(socket: Socket, heldSocket: HeldSocket, entrance: string | undefined): void;
  /** A connection that another worker has had, with what it wrote down. @param entrance as of `fresh` */
  held(socket: Socket, heldSocket: HeldSocket, state: SlotState, entrance: string | undefined): void;
  /** Another worker takes over. What is relayed to it before this returns, it knows before its first connection. */
  retire(): void;
  /** Another worker is being started, which takes its share of the machine; or none is any more. */
  crowded(now: boolean): void;
  /** The service is to end. */
  stop(): void;
  /** The keeper is gone: the port is free, and nobody holds copies any more. */
  orphaned(): void;
  /** The worker before says something, or the one after to one that retires. */
  relayed(data: unknown): void;
}

/** Where to listen. */
export interface ListenWish {
  readonly host: string;
  readonly port: number;
}

/** The channel to a parent process, as `process` has it. */
export interface Channel {
  readonly connected: boolean;
  send?(message: unknown, handle: undefined, options: undefined, callback: () => void): boolean;
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
  disconnect?(): void;
}

/** A worker's side of the keeper: where its connections come from, in the place of a port of its own. */
export class KeeperClient {
  /** The number of this process among its keeper's workers: 1 for the first, then counting up. */
  readonly number: number;
  readonly #channel: Channel;
  readonly #sharedState: SharedState;
  readonly #heldSockets = new Set<KeptSocket>();
  readonly #wishes: KeeperWishes;
  #listener: KeeperClientListener | undefined;
  #asked: ((answer: ToWorker | undefined) => void) | undefined;
  readonly #askedEntrances = new Map<string, (answer: ToWorker | undefined) => void>();

  constructor(invitation: KeeperInvitation, wishes: KeeperWishes, channel: Channel = process) {
    this.number = invitation.number;
    this.#wishes = wishes;
    this.#sharedState = new SharedState(invitation.sharedStateFd);
    this.#channel = channel;
    channel.on('message', (message, handle) => this.#onMessage(message as ToWorker, handle));
    channel.on('disconnect', () => {
      this.#heldSockets.clear();
      this.#asked?.(undefined);
      for (const answered of this.#askedEntrances.values()) answered(undefined);
      this.#listener?.orphaned();
    });
  }

  /** The keeper client of this process, if a keeper has started it. The programs that it starts itself are told nothing of it. */
  static ofProcess(wishes: KeeperWishes): KeeperClient | undefined {
    const invitation = process.env[KEEPER_ENV];
    if (invitation === undefined || !process.connected) return undefined;
    Reflect.deleteProperty(process.env, KEEPER_ENV);
    return new KeeperClient(JSON.parse(invitation) as KeeperInvitation, wishes);
  }

  /** True while the keeper is there. */
  get open(): boolean {
    return this.#channel.connected;
  }

  /** Connections that the keeper holds for this process. */
  get heldSocketCount(): number {
    return this.#heldSockets.size;
  }

  /**
   * Has the keeper listen. A keeper that listens already goes on where it does.
   * @returns where, with the real port
   * @throws the error of `listen`, with its `code`
   */
  listen(address: ListenWish): Promise<ListenWish> {
    return new Promise((resolve, reject) => {
      this.#asked = (answer) => {
        this.#asked = undefined;
        if (answer?.type === 'listening') return resolve({ host: answer.host, port: answer.port });
        const { code, message } =
          answer?.type === 'not-listening' ? answer : { code: 'EPIPE', message: 'The keeper is gone' };
        reject(Object.assign(new Error(message), { code }));
      };
      if (this.open) this.#tell({ type: 'listen', ...address, ...this.#wishes });
      else this.#asked(undefined);
    });
  }

  /**
   * Has the keeper let connections in by a further address. One that is open already stays as it is.
   * @param key names it among the entrances
   * @returns the address, with the real port
   * @throws the error of `listen`, with its `code`
   */
  openEntrance(key: string, address: EntranceAddress): Promise<EntranceAddress> {
    return new Promise((resolve, reject) => {
      this.#askedEntrances.set(key, (answer) => {
        this.#askedEntrances.delete(key);
        if (answer?.type === 'entrance-open') return resolve(answer.address);
        const { code, message } =
          answer?.type === 'entrance-closed' ? answer : { code: 'EPIPE', message: 'The keeper is gone' };
        reject(Object.assign(new Error(message), { code }));
      });
      if (this.open) this.#tell({ type: 'entrance', key, address });
      else this.#askedEntrances.get(key)?.(undefined);
    });
  }

  /** Says that this worker can take connections, and takes them. */
  enter(listener: KeeperClientListener): void {
    this.#listener = listener;
    if (!this.open) listener.orphaned();
    this.#tell({ type: 'ready' });
  }

  /** Says that this process listens by itself, and that nothing of it can be held. @param stop the service is to end */
  leave(stop: () => void): void {
    const nothing = (): void => undefined;
    this.#listener = {
      fresh: nothing,
      held: nothing,
      retire: nothing,
      crowded: nothing,
      orphaned: nothing,
      relayed: nothing,
      stop,
    };
    this.#tell({ type: 'alone' });
  }

  /** Asks for a planned restart. */
  restart(): void {
    this.#tell({ type: 'restart' });
  }

  /** Tells the worker that has taken over, once this one retires; before that, those that retire. */
  relay(data: unknown): void {
    this.#tell({ type: 'relay', data: JSON.stringify(data) });
  }

  #onMessage(message: ToWorker, handle: unknown): void {
    const listener = this.#listener;
    if (message.type === 'listening' || message.type === 'not-listening') return this.#asked?.(message);
    if (message.type === 'entrance-open' || message.type === 'entrance-closed')
      return this.#askedEntrances.get(message.key)?.(message);
    if (!listener) return;
    switch (message.type) {
      case 'connection': {
        if (!(handle instanceof Socket)) return this.#tell({ type: 'missing', slot: message.slot });
        const heldSocket = new KeptSocket(this.#sharedState.writer(message.slot), this.#heldSockets, (type) =>
          this.#tell({ type, slot: message.slot }),
        );
        this.#heldSockets.add(heldSocket);
        const state = this.#sharedState.read(message.slot);
        if (state.stage === 'fresh') listener.fresh(handle, heldSocket, message.entrance);
        else listener.held(handle, heldSocket, state, message.entrance);
        return;
      }
      case 'retire':
        listener.retire();
        return this.#tell({ type: 'yield' });
      case 'crowded':
        return listener.crowded(message.now);
      case 'stop':
        return listener.stop();
      case 'relay':
        return listener.relayed(parsedRelay(message.data));
    }
  }

  #tell(message: ToKeeper): void {
    if (this.#channel.connected) this.#channel.send?.(message, undefined, undefined, () => undefined);
  }
}

class KeptSocket implements HeldSocket {
  readonly line: SlotWriter;
  readonly #live: Set<KeptSocket>;
  readonly #tell: (how: 'release' | 'pass') => void;

  constructor(line: SlotWriter, live: Set<KeptSocket>, tell: (how: 'release' | 'pass') => void) {
    this.line = line;
    this.#live = live;
    this.#tell = tell;
  }

  get held(): boolean {
    return this.#live.has(this);
  }

  release(): void {
    this.#end('release');
  }

  pass(): void {
    this.#end('pass');
  }

  #end(how: 'release' | 'pass'): void {
    if (!this.#live.delete(this)) return;
    this.line.close();
    this.#tell(how);
  }
}

/** As a text its length is known to the keeper; one from an older worker is none. */
function parsedRelay(data: unknown): unknown {
  return typeof data === 'string' ? (JSON.parse(data) as unknown) : data;
}

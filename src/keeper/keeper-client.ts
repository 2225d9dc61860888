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
  /** Writer of its state for a successor. */
  readonly line: SlotWriter;
  /** Tells the keeper to close its copy, since the connection is closed or needs no copy. Further calls do nothing. */
  release(): void;
  /** False once the keeper is gone: no other process has a copy or could take the connection over. */
  readonly held: boolean;
  /** Gives it to the worker that has taken over, after this process has closed its own copy. Only once, like `release`. */
  pass(): void;
}

/** Callbacks of the keeper client. */
export interface KeeperClientListener {
  /** Called with an unread connection. @param entrance key of its entrance; undefined for the port */
  fresh(socket: Socket, heldSocket: HeldSocket, entrance: string | undefined): void;
  /** Called with a connection of an earlier worker, and its stored state. @param entrance as in `fresh` */
  held(socket: Socket, heldSocket: HeldSocket, state: SlotState, entrance: string | undefined): void;
  /** Called when another worker takes over. Data relayed before this returns arrives before its first connection. */
  retire(): void;
  /** Called when another worker starts or no longer starts; it takes its share of the machine. */
  crowded(now: boolean): void;
  /** Called when the service must end. */
  stop(): void;
  /** Called when the keeper is gone: the port is free, and no process has copies any more. */
  orphaned(): void;
  /** Called with data of the previous worker, or in a retiring worker, of the next one. */
  relayed(data: unknown): void;
}

/** Address to listen on. */
export interface ListenWish {
  readonly host: string;
  readonly port: number;
}

/** Channel to the parent process, as in `process`. */
export interface Channel {
  readonly connected: boolean;
  send?(message: unknown, handle: undefined, options: undefined, callback: () => void): boolean;
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
  disconnect?(): void;
}

/** Worker's side of the keeper: the source of its connections instead of its own port. */
export class KeeperClient {
  /** Number of this process among its keeper's workers, from 1. */
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

  /** Returns the keeper client of this process, if a keeper has started it. Child processes do not inherit it. */
  static ofProcess(wishes: KeeperWishes): KeeperClient | undefined {
    const invitation = process.env[KEEPER_ENV];
    if (invitation === undefined || !process.connected) return undefined;
    Reflect.deleteProperty(process.env, KEEPER_ENV);
    return new KeeperClient(JSON.parse(invitation) as KeeperInvitation, wishes);
  }

  /** True while the keeper is connected. */
  get open(): boolean {
    return this.#channel.connected;
  }

  /** Number of connections whose copies the keeper holds for this process. */
  get heldSocketCount(): number {
    return this.#heldSockets.size;
  }

  /**
   * Makes the keeper listen. A keeper that already listens keeps its address.
   * @returns the address, with the real port
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
   * Makes the keeper accept connections at a further address. An open entrance stays as it is.
   * @param key name of the entrance
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

  /** Reports that this worker is ready, and takes connections from now on. */
  enter(listener: KeeperClientListener): void {
    this.#listener = listener;
    if (!this.open) listener.orphaned();
    this.#tell({ type: 'ready' });
  }

  /** Reports that this process listens by itself, without held copies. @param stop called when the service must end */
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

  /** Sends data to the worker that has taken over, once this one retires; before that, to retiring workers. */
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

/** Parses relayed data. It is sent as text so that the keeper knows its length; an older worker sends none. */
function parsedRelay(data: unknown): unknown {
  return typeof data === 'string' ? (JSON.parse(data) as unknown) : data;
}

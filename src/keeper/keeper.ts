import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Backoff } from './backoff.js';
import { Ledger } from './ledger.js';
import type { ToKeeper } from './messages.js';
import { WorkerProcess, type WorkerEnd, type WorkerProgram } from './worker-process.js';

/** How a keeper is made. */
export interface KeeperOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly program: WorkerProgram;
  /** Keeps a second worker ready that takes over at once when the first one ends. */
  readonly standby?: boolean;
  /** Connections that may wait while no worker is there; one more is closed. Default 1,000. */
  readonly maxWaiting?: number;
  /** A worker that is not ready after this long is ended, in ms. Default 30,000. */
  readonly readyTimeoutMs?: number;
  /** How long to wait before a worker that ended is started again. */
  readonly backoff?: Backoff;
  log(level: 'info' | 'warn' | 'error', message: string): void;
}

/**
 * `starting`; `reserve`: ready, with nothing to do; `active`: the one that gets the connections; `retiring`: another one
 * gets them, and it ends when those that it has are done with.
 */
export type WorkerState = 'starting' | 'reserve' | 'active' | 'retiring';

/** A copy of a connection's socket, and the worker that has the other one. */
interface Held {
  readonly socket: Socket;
  worker: WorkerProcess | undefined;
}

/**
 * The parent of the service's worker. It holds the port, and a copy of every socket that the worker has not released:
 * an avatar dies when its connection closes (protocol.md §1), and a connection is closed only when the last copy is. It
 * never reads a socket, never writes to one, and knows nothing of what they carry.
 */
export class Keeper {
  readonly host: string;
  readonly port: number;
  /** Settles with the status to end with when the last worker has ended for good. */
  readonly ended: Promise<number>;
  readonly #options: KeeperOptions;
  readonly #server: Server;
  readonly #ledger = Ledger.create();
  readonly #backoff: Backoff;
  readonly #held = new Map<number, Held>();
  readonly #freeSlots: number[] = [];
  /** Every worker that lives. */
  readonly #workers = new Map<WorkerProcess, WorkerState>();
  /** The one that takes over from the active one as soon as it is ready. */
  #replacement: WorkerProcess | undefined;
  #startTimer: NodeJS.Timeout | undefined;
  #stopping = false;
  #everReady = false;
  #finished = false;
  #end!: (status: number) => void;

  private constructor(options: KeeperOptions, server: Server) {
    this.#options = options;
    this.#server = server;
    this.#backoff = options.backoff ?? new Backoff();
    this.host = options.host;
    this.port = (server.address() as AddressInfo).port;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    server.on('connection', (socket) => this.#accept(socket));
    server.on('error', (error) =>
      options.log('error', `The port cannot be accepted from: ${error.message}.`),
    );
    this.#start();
  }

  /**
   * Takes the port and starts a worker.
   * @throws the error of `listen`, when the port cannot be had
   */
  static start(options: KeeperOptions): Promise<Keeper> {
    const server = createServer({ pauseOnConnect: true, noDelay: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port, options.host, () => {
        server.off('error', reject);
        resolve(new Keeper(options, server));
      });
    });
  }

  /** The workers that live, in the order in which they were started. */
  get workers(): { readonly pid: number | undefined; readonly state: WorkerState }[] {
    return [...this.#workers].map(([{ pid }, state]) => ({ pid, state }));
  }

  /** How many connections are held. */
  get heldCount(): number {
    return this.#held.size;
  }

  /** Starts a new worker; when it is ready it takes over, and the old one ends when it has nothing left to do. */
  restart(): void {
    const { log } = this.#options;
    if (this.#stopping) return;
    if (this.#replacement) return log('warn', 'A restart is under way already.');
    if (!this.#active) return log('warn', 'A new worker is being started already.');
    log('info', 'Restarting: a new worker starts, and takes over when it is ready.');
    // One in reserve may be of older code.
    for (const worker of this.#in('starting', 'reserve')) this.#dismiss(worker);
    this.#replacement = this.#start();
  }

  /** Asks the workers to end; every connection is closed with the last of them. A second call ends them at once. */
  stop(): void {
    const atOnce = this.#stopping;
    this.#stopping = true;
    clearTimeout(this.#startTimer);
    for (const worker of this.#in('starting', 'reserve')) this.#dismiss(worker);
    for (const worker of this.#in('active', 'retiring')) {
      if (atOnce) worker.kill('SIGKILL');
      else worker.send({ type: 'stop' });
    }
    if (this.#workers.size === 0) this.#finish(0);
  }

  // ---- connections ------------------------------------------------------------------------------------------------

  #accept(socket: Socket): void {
    socket.on('error', () => undefined);
    const waiting = this.#active ? 0 : [...this.#held.values()].filter(({ worker }) => !worker).length;
    if (this.#stopping || waiting >= (this.#options.maxWaiting ?? 1000)) return void socket.destroy();
    const slot = this.#freeSlots.pop() ?? this.#held.size;
    this.#ledger.clear(slot);
    const held: Held = { socket, worker: undefined };
    this.#held.set(slot, held);
    this.#give(slot, held);
  }

  #give(slot: number, held: Held): void {
    const active = this.#active;
    held.worker = active;
    active?.send({ type: 'connection', slot }, held.socket);
  }

  #release(slot: number): void {
    this.#held.get(slot)?.socket.destroy();
    this.#held.delete(slot);
    this.#freeSlots.push(slot);
  }

  // ---- workers ----------------------------------------------------------------------------------------------------

  get #active(): WorkerProcess | undefined {
    return this.#in('active')[0];
  }

  #in(...states: WorkerState[]): WorkerProcess[] {
    return [...this.#workers].filter(([, state]) => states.includes(state)).map(([worker]) => worker);
  }

  #start(): WorkerProcess {
    const { program, log, readyTimeoutMs = 30_000 } = this.#options;
    const address = { host: this.host, port: this.port };
    const worker: WorkerProcess = new WorkerProcess(program, address, this.#ledger.fd, {
      message: (message) => this.#onMessage(worker, message),
      gone: (end) => this.#onGone(worker, end),
    });
    this.#workers.set(worker, 'starting');
    setTimeout(() => {
      if (this.#workers.get(worker) !== 'starting') return;
      log('error', `A worker was not ready within ${readyTimeoutMs} ms.`);
      worker.kill('SIGKILL');
    }, readyTimeoutMs).unref();
    return worker;
  }

  /** Ends one that has nothing to do, and forgets it. */
  #dismiss(worker: WorkerProcess): void {
    this.#workers.delete(worker);
    worker.kill('SIGKILL');
  }

  #onMessage(worker: WorkerProcess, message: ToKeeper): void {
    const active = this.#active;
    switch (message.type) {
      case 'ready':
        return this.#onReady(worker);
      case 'release':
        if (this.#held.get(message.slot)?.worker === worker) this.#release(message.slot);
        return;
      case 'pass': {
        const held = this.#held.get(message.slot);
        if (held?.worker === worker && worker !== active) this.#give(message.slot, held);
        return;
      }
      case 'relay':
        if (worker !== active) active?.send(message);
        return;
      case 'restart':
        return this.restart();
    }
  }

  #onReady(worker: WorkerProcess): void {
    // One that was dismissed meanwhile has no state any more.
    if (!this.#workers.has(worker)) return;
    this.#everReady = true;
    if (worker === this.#replacement || !this.#active) this.#activate(worker);
    else this.#workers.set(worker, 'reserve');
  }

  #activate(worker: WorkerProcess): void {
    const old = this.#active;
    if (old) this.#workers.set(old, 'retiring');
    this.#workers.set(worker, 'active');
    this.#replacement = undefined;
    this.#giveAll();
    old?.send({ type: 'retire' });
    this.#fillReserve(0);
  }

  #giveAll(): void {
    for (const [slot, held] of this.#held) if (!held.worker) this.#give(slot, held);
  }

  #fillReserve(waitMs: number): void {
    if (!this.#options.standby || this.#stopping || this.#in('starting', 'reserve').length > 0) return;
    this.#startLater(waitMs);
  }

  #startLater(waitMs: number): void {
    clearTimeout(this.#startTimer);
    this.#startTimer = setTimeout(() => this.#start(), waitMs);
  }

  #onGone(worker: WorkerProcess, end: WorkerEnd): void {
    const state = this.#workers.get(worker);
    this.#workers.delete(worker);
    for (const held of this.#held.values()) if (held.worker === worker) held.worker = undefined;
    if (this.#stopping) {
      if (this.#workers.size === 0) this.#finish(end.code ?? 1);
    } else if (!this.#everReady) {
      this.#finish(end.code ?? 1);
    } else if (state) {
      this.#succeed(worker, state, end);
    }
  }

  /** Sees to it that somebody does the work of a worker that has ended. */
  #succeed(worker: WorkerProcess, state: WorkerState, end: WorkerEnd): void {
    const { log } = this.#options;
    const held = `${this.#held.size} ${this.#held.size === 1 ? 'connection is' : 'connections are'} held`;
    if (this.#active) {
      // What one that retired still had goes to the one that works.
      this.#giveAll();
      if (worker === this.#replacement) {
        this.#replacement = undefined;
        log('error', `The restart has failed, and the old worker goes on: of the new one, ${end.reason}.`);
      } else if (state === 'retiring') {
        log(end.code === 0 ? 'info' : 'error', `The old worker is gone: ${end.reason}.`);
        return;
      }
      return this.#fillReserve(this.#backoff.next(end.livedMs));
    }
    const [reserve] = this.#in('reserve');
    if (reserve) {
      log('error', `The worker is gone: ${end.reason}. The one in reserve takes over; ${held}.`);
      return this.#activate(reserve);
    }
    if (this.#in('starting').length > 0) {
      return log('error', `A worker is gone: ${end.reason}. The next one is starting already; ${held}.`);
    }
    const waitMs = this.#backoff.next(end.livedMs);
    const when = waitMs === 0 ? 'at once' : `in ${waitMs} ms`;
    log('error', `The worker is gone: ${end.reason}. Another one is started ${when}; ${held}.`);
    this.#startLater(waitMs);
  }

  #finish(status: number): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#server.close();
    for (const { socket } of this.#held.values()) socket.destroy();
    this.#held.clear();
    this.#ledger.close();
    this.#end(status);
  }
}

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Backoff } from './backoff.js';
import { Entrance, type EntranceAddress } from './entrance.js';
import { MAX_SLOTS, SharedState } from './shared-state.js';
import type { KeeperLog, KeeperWishes, ToKeeper, ToWorker } from './messages.js';
import { WorkerProcess, type WorkerEnd, type WorkerProgram } from './worker-process.js';

/** Number of failed deliveries to a worker after which a connection is given up. */
const MAX_MISSES = 3;
/** Maximum bytes of one message between workers, and of all messages waiting for a worker that does not read. */
const MAX_RELAY_BYTES = 262_144;
const MAX_RELAYS_WAITING_BYTES = 4_194_304;

/** Exit status of a service that was ended at once. */
const INTERRUPTED = 130;

/** Options of a keeper. */
export interface KeeperOptions {
  readonly program: WorkerProgram;
  /** Delay before a second worker is started in reserve, in ms. Default 2,000. */
  readonly reserveAfterMs?: number;
  /** Maximum number of connections waiting while there is no worker; further ones are closed. Default 1,000. */
  readonly maxWaiting?: number;
  /** Maximum start-up time of a worker, in ms; then it is ended. Default 30,000. */
  readonly readyTimeoutMs?: number;
  /** Time after which a retiring worker that does not answer is replaced anyway, in ms. Default 1,000. */
  readonly yieldTimeoutMs?: number;
  /** Further time after which it is ended, so that it does not keep its connections forever, in ms. Default 10,000. */
  readonly hungTimeoutMs?: number;
  /** Delays before an ended worker is restarted. */
  readonly backoff?: Backoff;
  /** Writes a log line. @param manner log format of the workers; undefined until the first worker has reported it */
  log(level: KeeperLevel, message: string, manner: KeeperLog | undefined): void;
}

/** Severity of a log line of the keeper. */
export type KeeperLevel = 'info' | 'warn' | 'error';

/**
 * `starting`; `reserve`: ready, but unused; `active`: gets the connections; `retiring`: another worker gets them, and
 * this one ends once its own are done; `alone`: it listens by itself, and the service ends with it.
 */
export type WorkerState = 'starting' | 'reserve' | 'active' | 'retiring' | 'alone';

/** A copy of a connection's socket, and the worker with the other one. */
interface Held {
  readonly socket: Socket;
  worker: WorkerProcess | undefined;
  /** Number of failed deliveries. */
  misses: number;
  /** Key of its entrance; undefined for the port. */
  readonly entrance: string | undefined;
}

/** A further address for connections. */
interface OpenEntrance {
  readonly entrance: Entrance;
  readonly answer: Promise<ToWorker>;
  /** Workers that have asked for it. */
  readonly workers: Set<WorkerProcess>;
}

/**
 * Parent of the service's worker. It holds the port, and a copy of every socket that the worker has not released: an
 * avatar dies when its connection closes (protocol.md §1), and a connection closes only with its last copy. The keeper
 * never reads or writes a socket, and knows nothing of the protocols on it.
 */
export class Keeper {
  /** Settles with the exit status when the last worker has ended for good. */
  readonly ended: Promise<number>;
  readonly #options: KeeperOptions;
  readonly #server: Server;
  readonly #sharedState = SharedState.create();
  readonly #backoff: Backoff;
  readonly #held = new Map<number, Held>();
  readonly #freeSlots: number[] = [];
  /** All running workers. */
  readonly #workers = new Map<WorkerProcess, WorkerState>();
  /** Worker that replaces the active one as soon as it is ready. */
  #replacement: WorkerProcess | undefined;
  /** Timer that runs while the active worker informs its replacement. */
  #yielding: NodeJS.Timeout | undefined;
  /** Replaced workers that have not answered yet. */
  readonly #mute = new Map<WorkerProcess, NodeJS.Timeout>();
  #wishes: KeeperWishes | undefined;
  /** Address, once a worker has asked for it. */
  #address: Promise<ToWorker> | undefined;
  readonly #entrances = new Map<string, OpenEntrance>();
  #startTimer: NodeJS.Timeout | undefined;
  #stopping: 'no' | 'asked' | 'at once' = 'no';
  #everReady = false;
  #startCount = 0;
  #activeSinceMs = 0;
  #finished = false;
  #relayDropped = false;
  #end!: (status: number) => void;

  /** Starts a worker, which reports the address to listen on. */
  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#backoff = options.backoff ?? new Backoff();
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#start();
  }

  /** Port, once the keeper listens. */
  get port(): number | undefined {
    return (this.#server.address() as AddressInfo | null)?.port;
  }

  /** Running workers, in start order. */
  get workers(): { readonly pid: number | undefined; readonly state: WorkerState }[] {
    return [...this.#workers].map(([{ pid }, state]) => ({ pid, state }));
  }

  /** Number of held connections. */
  get heldCount(): number {
    return this.#held.size;
  }

  /** Starts a new worker, which takes over when it is ready; the old one ends when it has nothing left to do. */
  restart(): void {
    if (this.#stopping !== 'no') return;
    if (this.#in('alone').length > 0) {
      return this.#log(
        'warn',
        'It runs without a keeper, and is not restarted: the avatars would end with it.',
      );
    }
    if (this.#replacement) return this.#log('warn', 'A restart is under way already.');
    if (!this.#active) return this.#log('warn', 'A new worker is being started already.');
    this.#log('info', 'Restarting: a new worker starts, and takes over when it is ready.');
    // A worker in reserve may run older code.
    for (const worker of this.#in('starting', 'reserve')) this.#dismiss(worker);
    this.#replacement = this.#start();
  }

  /** Asks the workers to end; the last one closes every connection. A second call ends them at once. */
  stop(): void {
    const atOnce = this.#stopping !== 'no';
    this.#stopping = atOnce ? 'at once' : 'asked';
    clearTimeout(this.#startTimer);
    this.#server.close();
    this.#closeEntrances();
    for (const worker of this.#in('starting', 'reserve')) this.#dismiss(worker);
    for (const worker of this.#in('active', 'retiring', 'alone')) {
      if (atOnce) worker.kill('SIGKILL');
      else worker.send({ type: 'stop' });
    }
    if (this.#workers.size === 0) this.#finish(0);
  }

  #log(level: KeeperLevel, message: string): void {
    this.#options.log(level, message, this.#wishes?.log);
  }

  // ---- connections ------------------------------------------------------------------------------------------------

  /** Opens the port. @returns the answer for the worker */
  #listen(host: string, port: number): Promise<ToWorker> {
    return new Promise((resolve) => {
      const refuse = ({ code = '', message }: NodeJS.ErrnoException): void => {
        this.#address = undefined;
        resolve({ type: 'not-listening', code, message });
      };
      this.#server.once('error', refuse);
      this.#server.listen(port, host, () => {
        this.#server.off('error', refuse);
        this.#server.on('error', ({ message }) =>
          this.#log('error', `The port cannot be accepted from: ${message}.`),
        );
        resolve({ type: 'listening', host, port: this.port! });
      });
    });
  }

  #openEntrance(worker: WorkerProcess, key: string, address: EntranceAddress): void {
    const open = this.#entrances.get(key) ?? this.#newEntrance(key, address);
    open.workers.add(worker);
    void open.answer.then((answer) => worker.send(answer));
  }

  #newEntrance(key: string, address: EntranceAddress): OpenEntrance {
    const { kind, host, port } = address;
    const entrance = new Entrance(address, {
      connection: (socket) => this.#accept(socket, key),
      trouble: (reason) =>
        this.#log(
          'warn',
          kind === 'listen'
            ? `${host}:${port} cannot be accepted from: ${reason}.`
            : `The avatar at ${host}:${port} cannot be reached: ${reason}. It is tried again until it answers.`,
        ),
    });
    const answer = entrance.open().then(
      (opened): ToWorker => ({ type: 'entrance-open', key, address: opened }),
      (error: unknown): ToWorker => {
        const { code = '', message } = error as NodeJS.ErrnoException;
        this.#entrances.delete(key);
        return { type: 'entrance-closed', key, code, message };
      },
    );
    const open: OpenEntrance = { entrance, answer, workers: new Set() };
    this.#entrances.set(key, open);
    return open;
  }

  /** @param but worker whose entrances stay open */
  #closeEntrances(but?: WorkerProcess): void {
    for (const [key, { entrance, workers }] of this.#entrances) {
      if (but && workers.has(but)) continue;
      entrance.close();
      this.#entrances.delete(key);
    }
  }

  #accept(socket: Socket, entrance?: string): void {
    socket.on('error', () => undefined);
    const waiting = this.#taker ? 0 : [...this.#held.values()].filter(({ worker }) => !worker).length;
    const full = waiting >= (this.#options.maxWaiting ?? 1000) || this.#held.size >= MAX_SLOTS;
    if (this.#stopping !== 'no' || full) {
      socket.destroy();
      if (entrance !== undefined) this.#entrances.get(entrance)?.entrance.lost();
      return;
    }
    const slot = this.#freeSlots.pop() ?? this.#held.size;
    this.#sharedState.clear(slot);
    const held: Held = { socket, worker: undefined, entrance, misses: 0 };
    this.#held.set(slot, held);
    this.#give(slot, held);
  }

  #give(slot: number, held: Held): void {
    const taker = this.#taker;
    held.worker = taker;
    taker?.send({ type: 'connection', slot, entrance: held.entrance }, held.socket);
  }

  /** Delivers a connection again unless it has ended: the last copy is here. */
  #onMissing(worker: WorkerProcess, slot: number): void {
    const held = this.#held.get(slot);
    if (held?.worker !== worker) return;
    const { remoteAddress = 'unknown', remotePort = 0 } = held.socket;
    const remote = `${remoteAddress}:${remotePort}`;
    held.misses += 1;
    if (held.misses < MAX_MISSES) {
      this.#log('warn', `The connection from ${remote} did not arrive at its worker; it is sent again.`);
      return this.#give(slot, held);
    }
    this.#log(
      'error',
      `The connection from ${remote} did not arrive at its worker ${MAX_MISSES} times, and is closed. If it happens again, use --no-keeper.`,
    );
    this.#release(slot);
  }

  #release(slot: number): void {
    const held = this.#held.get(slot);
    held?.socket.destroy();
    this.#held.delete(slot);
    this.#freeSlots.push(slot);
    if (held?.entrance !== undefined) this.#entrances.get(held.entrance)?.entrance.lost();
  }

  // ---- workers ----------------------------------------------------------------------------------------------------

  get #active(): WorkerProcess | undefined {
    return this.#in('active')[0];
  }

  /** Worker that gets new connections; undefined during a handover, while connections wait for the next worker. */
  get #taker(): WorkerProcess | undefined {
    return this.#yielding ? undefined : this.#active;
  }

  #in(...states: WorkerState[]): WorkerProcess[] {
    return [...this.#workers].filter(([, state]) => states.includes(state)).map(([worker]) => worker);
  }

  #start(): WorkerProcess {
    const { program, readyTimeoutMs = 30_000 } = this.#options;
    const worker: WorkerProcess = new WorkerProcess(program, (this.#startCount += 1), this.#sharedState.fd, {
      message: (message) => this.#onMessage(worker, message),
      gone: (end) => this.#onGone(worker, end),
    });
    this.#workers.set(worker, 'starting');
    this.#tellCrowded(true);
    setTimeout(() => {
      if (this.#workers.get(worker) !== 'starting') return;
      this.#log('error', `A worker was not ready within ${readyTimeoutMs} ms.`);
      worker.kill('SIGKILL');
    }, readyTimeoutMs).unref();
    return worker;
  }

  /** Tells active workers that another process starts beside them, or has started or ended. */
  #tellCrowded(now: boolean): void {
    for (const worker of this.#in('active', 'retiring')) worker.send({ type: 'crowded', now });
  }

  /** Ends an unused worker. */
  #dismiss(worker: WorkerProcess): void {
    this.#workers.delete(worker);
    worker.kill('SIGKILL');
  }

  #onMessage(worker: WorkerProcess, message: ToKeeper): void {
    const active = this.#active;
    clearTimeout(this.#mute.get(worker));
    this.#mute.delete(worker);
    switch (message.type) {
      case 'listen':
        this.#wishes = { standby: message.standby, log: message.log };
        this.#address ??= this.#listen(message.host, message.port);
        return void this.#address.then((answer) => worker.send(answer));
      case 'entrance':
        return this.#openEntrance(worker, message.key, message.address);
      case 'ready':
        return this.#onReady(worker);
      case 'release':
        if (this.#held.get(message.slot)?.worker === worker) this.#release(message.slot);
        return;
      case 'missing':
        return this.#onMissing(worker, message.slot);
      case 'pass': {
        const held = this.#held.get(message.slot);
        if (held?.worker === worker) this.#give(message.slot, held);
        return;
      }
      case 'relay':
        this.#relay(worker, message);
        return;
      case 'yield':
        if (worker === active) this.#handover();
        return;
      case 'alone':
        return void this.#workers.set(worker, 'alone');
      case 'restart':
        return this.restart();
    }
  }

  /** Relays from retiring workers to the active one, and back; during a handover, to its replacement. */
  #relay(from: WorkerProcess, message: ToKeeper & { type: 'relay' }): void {
    const active = this.#active;
    const receivers =
      from !== active ? [active] : this.#yielding ? [this.#replacement] : this.#in('retiring');
    // A worker that does not read must not fill this process's memory, which would endanger the avatars.
    const bytes = typeof message.data === 'string' ? message.data.length : Infinity;
    for (const receiver of receivers) {
      if (!receiver) continue;
      if (bytes <= MAX_RELAY_BYTES && receiver.waitingBytes + bytes <= MAX_RELAYS_WAITING_BYTES) {
        receiver.relay(message, bytes);
        continue;
      }
      if (!this.#relayDropped) {
        this.#log('warn', 'A worker does not read what another one tells it; some of that is dropped.');
      }
      this.#relayDropped = true;
    }
  }

  #onReady(worker: WorkerProcess): void {
    // A dismissed worker has no state any more.
    if (!this.#workers.has(worker)) return;
    this.#everReady = true;
    const active = this.#active;
    if (!active) return this.#activate(worker);
    this.#workers.set(worker, 'reserve');
    this.#tellCrowded(false);
    if (worker !== this.#replacement) return;
    active.send({ type: 'retire' });
    this.#yielding = setTimeout(() => {
      this.#awaitAnswer(active);
      this.#handover();
    }, this.#options.yieldTimeoutMs ?? 1000);
  }

  /** Watches a replaced worker that does not answer. It would keep its connections, and the avatars would stay silent. */
  #awaitAnswer(worker: WorkerProcess): void {
    const { hungTimeoutMs = 10_000 } = this.#options;
    const timer = setTimeout(() => {
      this.#mute.delete(worker);
      if (!this.#workers.has(worker)) return;
      this.#log('error', `The old worker hangs: it has not answered for ${hungTimeoutMs} ms, and is ended.`);
      worker.kill('SIGKILL');
    }, hungTimeoutMs).unref();
    this.#mute.set(worker, timer);
  }

  /** Retires the active worker in favour of its replacement. */
  #handover(): void {
    const old = this.#active;
    if (!this.#yielding || !old) return;
    this.#workers.set(old, 'retiring');
    const replacement = this.#replacement;
    if (replacement) this.#activate(replacement);
    else {
      this.#endYielding();
      this.#start();
    }
  }

  #endYielding(): void {
    clearTimeout(this.#yielding);
    this.#yielding = undefined;
  }

  #activate(worker: WorkerProcess): void {
    this.#endYielding();
    this.#workers.set(worker, 'active');
    this.#activeSinceMs = performance.now();
    this.#replacement = undefined;
    this.#closeEntrances(worker);
    this.#giveAll();
    this.#fillReserve();
  }

  #giveAll(): void {
    for (const [slot, held] of this.#held) if (!held.worker) this.#give(slot, held);
  }

  #fillReserve(waitMs = 0): void {
    if (!this.#wishes?.standby || this.#stopping !== 'no') return;
    if (this.#in('starting', 'reserve').length > 0) return;
    this.#startLater(Math.max(waitMs, this.#options.reserveAfterMs ?? 2000));
  }

  #startLater(waitMs: number): void {
    clearTimeout(this.#startTimer);
    this.#startTimer = setTimeout(() => this.#start(), waitMs);
  }

  #onGone(worker: WorkerProcess, end: WorkerEnd): void {
    const state = this.#workers.get(worker);
    this.#workers.delete(worker);
    for (const { workers } of this.#entrances.values()) workers.delete(worker);
    if (state === 'starting') this.#tellCrowded(false);
    for (const held of this.#held.values()) if (held.worker === worker) held.worker = undefined;
    if (this.#stopping !== 'no') {
      if (this.#workers.size === 0)
        this.#finish(end.code ?? (this.#stopping === 'at once' ? INTERRUPTED : 1));
    } else if (!this.#everReady) {
      this.#finish(end.code ?? 1);
    } else if (state) {
      this.#succeed(worker, state, end);
    }
  }

  /** Number of held connections that are upgraded or being upgraded; others are requests. */
  get #heldAvatars(): number {
    let count = 0;
    for (const slot of this.#held.keys()) {
      const { stage } = this.#sharedState.read(slot);
      if (stage === 'answering' || stage === 'open') count += 1;
    }
    return count;
  }

  /** Passes the work of an ended worker to another one. */
  #succeed(worker: WorkerProcess, state: WorkerState, end: WorkerEnd): void {
    const avatars = this.#heldAvatars;
    const held = `${avatars} ${avatars === 1 ? 'avatar is' : 'avatars are'} held`;
    if (this.#active) {
      // Connections of a retired worker go to the active one.
      this.#giveAll();
      if (worker === this.#replacement) {
        this.#replacement = undefined;
        this.#log(
          'error',
          `The restart has failed, and the old worker goes on: of the new one, ${end.reason}.`,
        );
      } else if (state === 'retiring') {
        this.#log(end.code === 0 ? 'info' : 'error', `The old worker is gone: ${end.reason}.`);
        return;
      }
      return this.#fillReserve(this.#backoff.next(end.livedMs));
    }
    // Time in reserve does not count, since the worker did nothing then.
    const livedMs = state === 'active' ? performance.now() - this.#activeSinceMs : end.livedMs;
    const waitMs = this.#backoff.next(livedMs);
    const [reserve] = this.#in('reserve');
    if (reserve) {
      this.#log('error', `The worker is gone: ${end.reason}. The one in reserve takes over; ${held}.`);
      this.#activate(reserve);
      return this.#fillReserve(waitMs);
    }
    if (this.#in('starting').length > 0) {
      return this.#log(
        'error',
        `A worker is gone: ${end.reason}. The next one is starting already; ${held}.`,
      );
    }
    const when = waitMs === 0 ? 'at once' : `in ${waitMs} ms`;
    this.#log('error', `The worker is gone: ${end.reason}. Another one is started ${when}; ${held}.`);
    this.#startLater(waitMs);
  }

  #finish(status: number): void {
    if (this.#finished) return;
    this.#finished = true;
    if (this.#server.listening) this.#server.close();
    this.#closeEntrances();
    for (const { socket } of this.#held.values()) socket.destroy();
    this.#held.clear();
    this.#sharedState.close();
    this.#end(status);
  }
}

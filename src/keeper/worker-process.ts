import { fork, type ChildProcess, type ForkOptions } from 'node:child_process';
import type { Socket } from 'node:net';
import { KEEPER_ENV, type KeeperInvitation, type ToKeeper, type ToWorker } from './messages.js';

/** Shared state's file descriptor in a worker: after stdin, stdout, stderr and the channel. */
const SHARED_STATE_FD = 4;

/** Maximum time to read the last messages of an ended worker, in ms. */
const LAST_WORDS_MS = 20;

/** Program of a worker process. */
export interface WorkerProgram {
  /** Module to run; by default the command itself. */
  readonly module: string;
  readonly args: readonly string[];
  /** Arguments for Node itself; by default those of this process. */
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** End of a worker. */
export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Reason as a clause: `it was killed by SIGKILL`. */
  readonly reason: string;
  readonly livedMs: number;
}

/** Callbacks of a worker process. */
export interface WorkerListener {
  message(message: ToKeeper): void;
  /** Called when it has ended and all its messages have been delivered. */
  gone(end: WorkerEnd): void;
}

/** A worker as the keeper sees it: a child process and its channel. */
export class WorkerProcess {
  readonly pid: number | undefined;
  readonly #child: ChildProcess;
  readonly #startedMs = performance.now();
  #waitingBytes = 0;
  #error: Error | undefined;

  constructor(program: WorkerProgram, number: number, sharedStateFd: number, listener: WorkerListener) {
    const inherited: KeeperInvitation = { sharedStateFd: SHARED_STATE_FD, number };
    this.#child = fork(program.module, program.args, {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc', sharedStateFd],
      env: { ...(program.env ?? process.env), [KEEPER_ENV]: JSON.stringify(inherited) },
      ...(program.execArgv && { execArgv: [...program.execArgv] }),
      // Without its own console (a scheduled task), Windows would open a window for it.
      windowsHide: true,
    } as ForkOptions);
    this.pid = this.#child.pid;
    this.#child.on('message', (message) => listener.message(message as ToKeeper));
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      if (this.#child.connected) this.#child.disconnect();
      listener.gone(this.#end());
    };
    // Its last messages can arrive after its exit, until the channel has ended. The end of the channel is not always
    // reported, for example when a socket was on its way to a killed process.
    this.#child.once('exit', () => {
      if (!this.#child.connected) return end();
      this.#child.once('disconnect', end);
      setTimeout(end, LAST_WORDS_MS);
    });
    this.#child.on('error', (error) => {
      // An error for a process that has just ended is expected. A failed start has no exit event of its own.
      if (this.#child.pid !== undefined) return;
      this.#error = error;
      end();
    });
  }

  /** Sends a message. @param socket sent as a copy; this process keeps its own */
  send(message: ToWorker, socket?: Socket): void {
    if (!this.#child.connected) return;
    this.#child.send(message, socket, { keepOpen: true }, () => undefined);
  }

  /** Bytes relayed from other workers that it has not read yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Relays a message of another worker. @param bytes length of the message */
  relay(message: ToWorker, bytes: number): void {
    if (!this.#child.connected) return;
    this.#waitingBytes += bytes;
    this.#child.send(message, undefined, undefined, () => (this.#waitingBytes -= bytes));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #end(): WorkerEnd {
    const { exitCode: code, signalCode: signal } = this.#child;
    const reason = this.#error
      ? `it could not be started: ${this.#error.message}`
      : signal
        ? `it was ended by ${signal}`
        : `it ended with status ${code ?? 'unknown'}`;
    return { code, signal, reason, livedMs: performance.now() - this.#startedMs };
  }
}

import { fork, type ChildProcess, type ForkOptions } from 'node:child_process';
import type { Socket } from 'node:net';
import { KEEPER_ENV, type KeeperInvitation, type ToKeeper, type ToWorker } from './messages.js';

/** Where a worker's file descriptor of the shared state stands: after stdin, stdout, stderr and the channel. */
const SHARED_STATE_FD = 4;

/** How long the last messages of a worker that has ended may take to be read, in ms. */
const LAST_WORDS_MS = 20;

/** What a worker process runs. */
export interface WorkerProgram {
  /** The module; by default the command itself. */
  readonly module: string;
  readonly args: readonly string[];
  /** Arguments of Node itself; by default those of this process. */
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** How a worker ended. */
export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** As a clause: `it was killed by SIGKILL`. */
  readonly reason: string;
  readonly livedMs: number;
}

/** What a worker process tells its keeper. */
export interface WorkerListener {
  message(message: ToKeeper): void;
  /** It is gone, and everything it said before has been told. */
  gone(end: WorkerEnd): void;
}

/** A worker as the keeper sees it: a child process, and the channel to it. */
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
      // Without a console of its own (a scheduled task), Windows would open a window for it.
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
    // Its last messages can come after its exit, until the channel has been read to its end. That end is not always
    // told: not when a socket was on its way to a process that was killed.
    this.#child.once('exit', () => {
      if (!this.#child.connected) return end();
      this.#child.once('disconnect', end);
      setTimeout(end, LAST_WORDS_MS);
    });
    this.#child.on('error', (error) => {
      // A message to one that has just ended is no news. A start that failed has no exit of its own.
      if (this.#child.pid !== undefined) return;
      this.#error = error;
      end();
    });
  }

  /** Tells it something. @param socket goes with it as a copy; this process keeps its own */
  send(message: ToWorker, socket?: Socket): void {
    if (!this.#child.connected) return;
    this.#child.send(message, socket, { keepOpen: true }, () => undefined);
  }

  /** Bytes of what other workers tell it that it has not read. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Tells it what another worker says. @param bytes length of the message */
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

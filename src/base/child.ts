import { type ChildProcess, spawn } from 'node:child_process';
import { basename } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { systemClock, type Clock } from './clock.js';

export { findBatchFile, findProgram, type ProgramSearch } from './programs.js';

/** How much of a program's last words is kept. */
const STDERR_TAIL_CHARS = 4096;

/** How a program ended. */
export interface ProgramExit {
  /** Its exit status, or null when a signal ended it or it never started. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started at all. */
  readonly error?: Error | undefined;
}

/** What a program is started with. */
export interface ProgramOptions {
  /** Ends the program when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Written to its standard input as fast as it reads; without it the input is empty. Owned from here on. */
  readonly stdin?: AsyncIterable<Uint8Array> | undefined;
  /** Told each line of its standard error, without the line end, cut at 4,096 characters. */
  readonly onStderrLine?: ((line: string) => void) | undefined;
  /** How long after SIGTERM it gets SIGKILL. */
  readonly graceMs?: number | undefined;
  /** Variables added to this process's own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly clock?: Clock | undefined;
}

/** A running child process. */
export interface Program {
  /** Its file name, for messages. */
  readonly name: string;
  readonly pid: number | undefined;
  /**
   * What it writes, once, read no faster than it is taken. Ending the iteration early stops the program; the
   * iteration's end comes after the program's. Take it or call {@link stop}: an unread pipe holds `exit` back.
   * @throws the abort reason when the signal ended it, and whatever `stdin` threw
   */
  readonly stdout: AsyncIterable<Uint8Array>;
  /** Settles when it has ended and its pipes are closed. Never rejects. */
  readonly exit: Promise<ProgramExit>;
  /** The last 4,096 characters of its standard error, trimmed. */
  stderrTail(): string;
  /** SIGTERM, and SIGKILL after the grace time. Safe at any moment and more than once. */
  stop(): Promise<ProgramExit>;
}

const running = new Set<ChildProcess>();
let watchingExit = false;

/** Without this a recorder outlives the process that started it and holds the microphone. */
function killAtExit(child: ChildProcess): void {
  running.add(child);
  if (watchingExit) return;
  watchingExit = true;
  process.once('exit', () => {
    for (const other of running) other.kill('SIGKILL');
  });
}

/**
 * Starts a program, without a shell: arguments reach it as they stand.
 * It never throws and leaves no unhandled error: a program that cannot be started is one whose `exit` holds an error.
 * @param path an absolute path, from {@link findProgram}
 */
export function startProgram(path: string, args: readonly string[], options: ProgramOptions = {}): Program {
  return new ChildProgram(path, args, options);
}

class ChildProgram implements Program {
  readonly name: string;
  readonly exit: Promise<ProgramExit>;
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly #child: ChildProcess | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #graceMs: number;
  readonly #clock: Clock;
  #ended = false;
  #stopping = false;
  #tail = '';
  #inputError: { error: unknown } | undefined;

  constructor(path: string, args: readonly string[], options: ProgramOptions) {
    this.name = basename(path);
    this.#signal = options.signal;
    this.#graceMs = options.graceMs ?? 1000;
    this.#clock = options.clock ?? systemClock;
    let settle!: (exit: ProgramExit) => void;
    this.exit = new Promise((resolve) => (settle = resolve));
    try {
      this.#child = spawn(path, args, {
        stdio: [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
        windowsHide: true,
        env: options.env ? { ...process.env, ...options.env } : process.env,
      });
    } catch (error) {
      // EINVAL, a NUL in an argument: spawn throws some failures and emits the others.
      this.#ended = true;
      settle({ code: null, signal: null, error: error as Error });
    }
    if (this.#child) this.#watch(this.#child, options, settle);
    else
      void options.stdin?.[Symbol.asyncIterator]()
        .return?.()
        .catch(() => undefined);
    this.stdout = this.#readStdout();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  stderrTail(): string {
    return this.#tail.trim();
  }

  stop(): Promise<ProgramExit> {
    if (this.#child && !this.#stopping && !this.#ended) {
      this.#stopping = true;
      const child = this.#child;
      // A program that waits for input (ffmpeg) looks at its signals only when the input ends.
      child.stdin?.destroy();
      child.kill('SIGTERM');
      const timer = this.#clock.after(this.#graceMs, () => child.kill('SIGKILL'));
      void this.exit.then(() => timer.cancel());
      // A grandchild that holds the pipes must not hold us; after the program's own end nothing of it is wanted.
      const release = (): void => destroyPipes(child);
      if (child.exitCode === null && child.signalCode === null) child.once('exit', release);
      else release();
    }
    return this.exit;
  }

  #watch(child: ChildProcess, options: ProgramOptions, settle: (exit: ProgramExit) => void): void {
    let startError: Error | undefined;
    const onAbort = (): void => void this.stop();
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      this.#ended = true;
      running.delete(child);
      options.signal?.removeEventListener('abort', onAbort);
      settle(startError ? { code: null, signal: null, error: startError } : { code, signal });
    };
    child.on('error', (error) => {
      if (child.pid !== undefined) return; // A failed kill: the program is there and its end still comes.
      startError = error;
      // 'close' does not follow on every system when the start failed.
      destroyPipes(child);
      end(null, null);
    });
    child.once('close', end);
    if (child.pid !== undefined) killAtExit(child);
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.on('error', () => undefined);
    this.#readStderr(child.stderr!, options.onStderrLine);
    if (options.stdin) void this.#feed(child.stdin!, options.stdin);
    if (options.signal?.aborted) onAbort();
    else options.signal?.addEventListener('abort', onAbort, { once: true });
  }

  #readStderr(stderr: Readable, onLine: ((line: string) => void) | undefined): void {
    let line = '';
    stderr.setEncoding('utf8');
    stderr.on('data', (text: string) => {
      this.#tail = (this.#tail + text).slice(-STDERR_TAIL_CHARS);
      if (!onLine) return;
      const lines = (line + text).split(/\r?\n|\r/);
      line = lines.pop()!.slice(0, STDERR_TAIL_CHARS);
      for (const whole of lines) onLine(whole.slice(0, STDERR_TAIL_CHARS));
    });
    stderr.on('end', () => {
      if (line && onLine) onLine(line);
    });
  }

  /** Ends quietly when the program stops reading: its exit status tells why, not the broken pipe. */
  async #feed(stdin: Writable, source: AsyncIterable<Uint8Array>): Promise<void> {
    const chunks = source[Symbol.asyncIterator]();
    // A source that waits for its next bytes must hear that nobody wants them any more.
    void this.exit.then(() => chunks.return?.()).catch(() => undefined);
    try {
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
        if (stdin.destroyed) return;
        if (!stdin.write(next.value)) await drained(stdin);
      }
      stdin.end();
    } catch (error) {
      if (this.#ended) return;
      this.#inputError = { error };
      void this.stop();
    }
  }

  async *#readStdout(): AsyncGenerator<Uint8Array> {
    try {
      if (this.#child) {
        for await (const chunk of this.#child.stdout as AsyncIterable<Uint8Array>) yield chunk;
      }
    } catch (error) {
      // Destroying a pipe ends its iteration with an error of its own, which says nothing.
      if (!this.#stopping && !this.#ended) throw error;
    } finally {
      if (!this.#child?.stdout?.readableEnded) void this.stop();
      await this.exit;
    }
    if (this.#signal?.aborted) throw this.#signal.reason;
    if (this.#inputError) throw this.#inputError.error;
  }
}

function destroyPipes(child: ChildProcess): void {
  child.stdin?.destroy();
  child.stdout?.destroy();
  child.stderr?.destroy();
}

function drained(stdin: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stdin.off('drain', done).off('close', done);
      resolve();
    };
    stdin.on('drain', done).on('close', done);
  });
}

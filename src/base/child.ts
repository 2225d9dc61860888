import { type ChildProcess, spawn } from 'node:child_process';
import { basename } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { systemClock, type Clock } from './clock.js';

export { findBatchFile, findProgram, type ProgramSearch } from './programs.js';

/** Maximum length of the kept end of a program's standard error. */
const STDERR_TAIL_CHARS = 4096;

/** End of a program. */
export interface ProgramExit {
  /** Exit status; null when a signal ended it or it did not start. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Error that kept it from starting. */
  readonly error?: Error | undefined;
}

/** Options of a started program. */
export interface ProgramOptions {
  /** Ends the program when aborted. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Input, written as fast as the program reads; without it the input is empty. The program owns the
   * iterable.
   */
  readonly stdin?: AsyncIterable<Uint8Array> | undefined;
  /** Called with each line of standard error, without the line end, cut at 4,096 characters. */
  readonly onStderrLine?: ((line: string) => void) | undefined;
  /** Time between SIGTERM and SIGKILL, in ms. */
  readonly graceMs?: number | undefined;
  /** Environment variables added to those of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly clock?: Clock | undefined;
}

/** A running child process. */
export interface Program {
  /** Its file name, for messages. */
  readonly name: string;
  readonly pid: number | undefined;
  /**
   * Output, to be iterated once; it is read only as fast as it is taken. Ending the iteration early stops the
   * program; the iteration ends after the program. Iterate it or call {@link stop}: an unread pipe keeps
   * `exit` from settling.
   * @throws the abort reason when the signal ended it, and whatever `stdin` threw
   */
  readonly stdout: AsyncIterable<Uint8Array>;
  /** Settles when the program has ended and its pipes are closed. Never rejects. */
  readonly exit: Promise<ProgramExit>;
  /** Returns the last 4,096 characters of standard error, trimmed. */
  stderrTail(): string;
  /** Sends SIGTERM, and SIGKILL after the grace time. Safe to call at any time and more than once. */
  stop(): Promise<ProgramExit>;
}

const running = new Set<ChildProcess>();
let watchingExit = false;

/** Kills the child when this process exits: otherwise a recorder would outlive it and hold the microphone. */
function killAtExit(child: ChildProcess): void {
  running.add(child);
  if (watchingExit) return;
  watchingExit = true;
  process.once('exit', () => {
    for (const other of running) other.kill('SIGKILL');
  });
}

/**
 * Starts a program without a shell, so arguments are passed unchanged. Never throws: when the program cannot
 * be started, `exit` holds the error.
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
      // spawn() throws some failures (EINVAL, a NUL in an argument) and emits the others.
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
      // A program that waits for input (ffmpeg) handles signals only when the input ends.
      child.stdin?.destroy();
      child.kill('SIGTERM');
      const timer = this.#clock.after(this.#graceMs, () => child.kill('SIGKILL'));
      void this.exit.then(() => timer.cancel());
      // A grandchild may hold the pipes open; after the end of the program its output is not needed.
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
      if (child.pid !== undefined) return; // A failed kill: the program still runs and will still end.
      startError = error;
      // On some systems no 'close' event follows a failed start.
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

  /**
   * Ends without an error when the program stops reading: its exit status gives the reason, not the broken
   * pipe.
   */
  async #feed(stdin: Writable, source: AsyncIterable<Uint8Array>): Promise<void> {
    const chunks = source[Symbol.asyncIterator]();
    // Tells a source that waits for its next bytes that they are not needed any more.
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
      // Destroying a pipe ends its iteration with an error that carries no information.
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

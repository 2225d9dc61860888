import type { ChildProcess } from 'node:child_process';
import { dirname } from 'node:path';
import library from 'node-record-lpcm16';
import type { Program, ProgramExit } from '../../base/child.js';
import { systemClock } from '../../base/clock.js';
import type { CaptureCommand, StartOptions } from './recorder.js';

/** Maximum length of the kept end of a program's standard error. */
const STDERR_TAIL_CHARS = 4096;
/**
 * Time between SIGTERM and SIGKILL: SoX ends at once on SIGTERM, except when a driver hangs in the kernel.
 */
const GRACE_MS = 1000;

/**
 * Starts SoX through node-record-lpcm16, with guards against the library's behaviour:
 * - It passes `recorder` to `require()`: only the two literals here reach it.
 * - A missing program is an uncaught exception: the path was found before, the library is made to find that
 *   same file (it takes a name and PATH, not a path), and the process gets an error listener before it can
 *   fail.
 * - It emits a string as an 'error' of the output, also after a stop: a listener takes it, and the exit gives
 *   the reason.
 * - It has no option for buffer sizes, and no device for `rec`: both are set through SoX's environment.
 *
 * The environment is changed only during the synchronous call that creates the process, and restored before
 * it returns.
 * @param path absolute path of the program
 */
export function startNodeRecord(
  name: 'sox' | 'rec',
  path: string,
  command: CaptureCommand,
  options: StartOptions,
): Program {
  try {
    const { process: child } = withEnvironment({ ...command.env, PATH: dirname(path) }, () =>
      library.record({
        recorder: name,
        sampleRate: command.rawFormat.sampleRateHz,
        channels: 1,
        audioType: 'raw',
      }),
    );
    return new RecordingProgram(name, child, options);
  } catch (error) {
    return unstarted(name, error as Error);
  }
}

function withEnvironment<Result>(variables: Record<string, string>, run: () => Result): Result {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return run();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  }
}

class RecordingProgram implements Program {
  readonly name: string;
  readonly exit: Promise<ProgramExit>;
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly #child: ChildProcess;
  #tail = '';
  #stopping = false;

  constructor(name: string, child: ChildProcess, { signal, onStderrLine }: StartOptions) {
    this.name = name;
    this.#child = child;
    const onAbort = (): void => void this.stop();
    // Without this SoX may outlive this process and hold the microphone.
    const onProcessExit = (): void => void child.kill('SIGKILL');
    process.once('exit', onProcessExit);
    this.exit = new Promise((resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, error }));
      child.once('close', (code, endSignal) => resolve({ code, signal: endSignal }));
    });
    void this.exit.then(() => {
      signal.removeEventListener('abort', onAbort);
      process.off('exit', onProcessExit);
    });
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.on('error', () => undefined);
    child.stdin?.end();
    // The library also listens for data, for its debug output, which would start the flow before this code
    // can take it.
    child.stdout?.removeAllListeners('data').pause();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#tail = (this.#tail + text).slice(-STDERR_TAIL_CHARS);
      for (const line of text.split(/[\r\n]+/)) if (line !== '') onStderrLine?.(line);
    });
    this.stdout = this.#readStdout();
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  stderrTail(): string {
    return this.#tail.trim();
  }

  stop(): Promise<ProgramExit> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.#child.kill('SIGTERM');
      const timer = systemClock.after(GRACE_MS, () => this.#child.kill('SIGKILL'));
      void this.exit.then(() => timer.cancel());
      this.#child.stdout?.destroy();
    }
    return this.exit;
  }

  async *#readStdout(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.#child.stdout as AsyncIterable<Uint8Array>) yield chunk;
    } catch {
      // The library's own error event ends the iteration; the exit holds the details.
    } finally {
      if (!this.#child.stdout?.readableEnded) void this.stop();
      await this.exit;
    }
  }
}

function unstarted(name: string, error: Error): Program {
  const exit = Promise.resolve({ code: null, signal: null, error });
  return {
    name,
    pid: undefined,
    exit,
    stdout: {
      async *[Symbol.asyncIterator]() {
        yield* [];
        await exit;
      },
    },
    stderrTail: () => '',
    stop: () => exit,
  };
}

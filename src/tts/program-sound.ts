import { findBatchFile, findProgram, startProgram } from '../base/child.js';
import type { Clock } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';

/** A program that writes a sound to its standard output. */
export interface ProgramCall {
  /** Name of the engine in messages. */
  readonly engine: string;
  /** Program name on PATH, or a path. */
  readonly program: string;
  readonly args: readonly string[];
  /** Text for its standard input; default: empty. */
  readonly stdin?: string | undefined;
  /** Install instruction, for the error when it is missing. */
  readonly install?: string | undefined;
  /** True when it writes its sound to a file and nothing to its standard output. */
  readonly writesFile?: boolean | undefined;
  /** Maximum time without output, in ms. */
  readonly idleMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Runs a program without a shell and returns its output. Ending the iteration early stops it.
 * @throws BridgeError ENGINE_MISSING when it does not exist; ENGINE_FAILED with the end of its standard error
 * when it fails or writes nothing; ENGINE_TIMEOUT; or the signal's reason
 */
export async function* programSound(call: ProgramCall): AsyncGenerator<Uint8Array, void, undefined> {
  const { engine, program: name, args, idleMs, clock, signal } = call;
  signal.throwIfAborted();
  const path = await requireProgram(engine, name, call.install);
  const program = startProgram(path, args, {
    signal,
    clock,
    stdin: call.stdin === undefined ? undefined : once(call.stdin),
  });
  const wait = { late: false };
  const watch = (): { cancel(): void } =>
    clock.after(idleMs, () => {
      wait.late = true;
      void program.stop();
    });
  let received = 0;
  let timer = watch();
  try {
    for await (const bytes of program.stdout) {
      timer.cancel();
      received += bytes.length;
      yield bytes;
      timer = watch();
    }
  } finally {
    timer.cancel();
    void program.stop();
  }
  const { code, signal: killedBy, error } = await program.exit;
  if (wait.late) {
    throw new BridgeError('ENGINE_TIMEOUT', `The engine ${engine}: ${name} wrote nothing for ${idleMs} ms.`);
  }
  const words = lastLine(program.stderrTail());
  const said = words ? `: ${words}` : '.';
  if (error)
    throw new BridgeError(
      'ENGINE_FAILED',
      `The engine ${engine}: ${name} cannot be started: ${error.message}.`,
    );
  if (code !== 0) {
    const how = killedBy ? `was ended by ${killedBy}` : `failed with status ${code ?? 'none'}`;
    throw new BridgeError('ENGINE_FAILED', `The engine ${engine}: ${name} ${how}${said}`);
  }
  if (received === 0 && !call.writesFile)
    throw new BridgeError('ENGINE_FAILED', `The engine ${engine}: ${name} wrote no sound${said}`);
}

/**
 * Finds a program.
 * @param install install instruction, for the advice
 * @throws BridgeError ENGINE_MISSING
 */
export async function requireProgram(engine: string, name: string, install?: string): Promise<string> {
  const path = await findProgram(name);
  if (path) return path;
  const batch = await findBatchFile(name);
  if (batch) {
    throw new BridgeError('ENGINE_MISSING', `The engine ${engine}: ${batch} is a batch file.`, {
      advice:
        'Name the program that the batch file starts, for example python.exe with the script as its argument',
    });
  }
  throw new BridgeError(
    'ENGINE_MISSING',
    `The engine ${engine} needs the program ${name}, which is not on PATH.`,
    { advice: install },
  );
}

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text, 'utf8');
}

function lastLine(text: string): string {
  return text.split(/\r?\n/).at(-1)?.trim().slice(-300) ?? '';
}

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { createProgram } from '../../src/cli/program.js';
import { Terminal } from '../../src/cli/terminal.js';
import { inProject } from './paths.js';
import { until } from './service-rig.js';

/** A run of the built command, as a process of its own. */
export interface CommandRun {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly out: string;
  readonly err: string;
  /** Settles with its exit status. */
  readonly exit: Promise<number | null>;
  /** Waits until its output holds this. */
  says(text: string | RegExp): Promise<void>;
  /** Its output as objects of JSON, a line each. */
  json(): Record<string, unknown>[];
}

/** How a command is run. */
export interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

const running = new Set<ChildProcess>();

/** Starts `mmdagent-bridge …`; end what is left over with `killCommands`. */
export function command(args: readonly string[], options: CommandOptions = {}): CommandRun {
  return start(process.execPath, [inProject('dist/cli/main.js'), ...args], options);
}

/** Starts any program the same way. */
export function start(program: string, args: readonly string[], options: CommandOptions = {}): CommandRun {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own, so that what it starts itself can be ended with it.
    detached: true,
    env: {
      ...process.env,
      MMDAGENT_BRIDGE_PORT: '',
      // A test that means the wait for the sound device says so.
      MMDAGENT_BRIDGE_FIRST_SOUND_MS: '0',
      ...options.env,
    },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  running.add(child);
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.err += text));
  child.stdin.on('error', () => undefined);
  if (options.input !== undefined) child.stdin.end(options.input);
  const exit = once(child, 'close').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return {
    child,
    exit,
    get out() {
      return texts.out;
    },
    get err() {
      return texts.err;
    },
    says: (text) =>
      until(() => {
        const all = texts.out + texts.err;
        return typeof text === 'string' ? all.includes(text) : text.test(all);
      }).catch(() => {
        throw new Error(`It never said ${String(text)}, but:\n${texts.out}${texts.err}`);
      }),
    json: () =>
      texts.out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

/** What a run of the command without a process of its own ended with. */
export interface InProcess {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** How a command is run without a process of its own. */
export interface InProcessOptions {
  readonly env?: Record<string, string>;
  readonly stdin?: Readable;
  /** A terminal of so many columns. */
  readonly columns?: number;
  /** Is handed what Ctrl-C does. */
  readonly ctrlC?: (press: () => void) => void;
}

/** Runs the command in this process, where it is quick: for all that does not hang on the process itself. */
export async function inProcess(args: readonly string[], options: InProcessOptions = {}): Promise<InProcess> {
  const texts = { out: '', err: '' };
  const { columns, env = {}, stdin = Readable.from([]) } = options;
  const output = {
    write: (text: string) => (texts.out += text),
    isTTY: columns !== undefined,
    columns,
  };
  const listeners = new Set<() => void>();
  options.ctrlC?.(() => {
    // A process would end by it.
    if (listeners.size === 0) throw new Error('Ctrl-C came before the command could hear it.');
    for (const listener of [...listeners]) listener();
  });
  const program = createProgram({
    terminal: new Terminal(output, { write: (text) => (texts.err += text) }),
    stdin,
    env,
    onInterrupt: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onOutputGone: () => () => undefined,
  });
  const exit = await program.run(args);
  return { exit, ...texts };
}

/** Ends every command that a test has left running. */
export async function killCommands(): Promise<void> {
  for (const child of [...running]) {
    // It may have ended by the end of one before it.
    if (!running.has(child)) continue;
    const closed = once(child, 'close');
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      child.kill('SIGKILL');
    }
    await closed;
  }
}

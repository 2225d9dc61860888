import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
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
  const { MMDAGENT_BRIDGE_PORT: _port, ...env } = process.env;
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...env, ...options.env },
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

/** Ends every command that a test has left running. */
export async function killCommands(): Promise<void> {
  const ends = [...running].map((child) => {
    child.kill('SIGKILL');
    return child.exitCode === null && child.signalCode === null ? once(child, 'close') : undefined;
  });
  await Promise.all(ends);
}

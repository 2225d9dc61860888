import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a process of a bench can be asked to do: one argument in, plain data out. */
export type Tasks = Record<string, (argument: never) => unknown>;

interface Call {
  readonly id: number;
  readonly task: string;
  readonly argument: unknown;
}

interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** Lets the process that started this one call `tasks`. */
export function serve(tasks: Tasks): void {
  process.on('message', ({ id, task, argument }: Call) => {
    Promise.resolve()
      .then(() => tasks[task]!(argument as never))
      .then(
        (value) => process.send!({ id, value } satisfies Reply),
        (error: unknown) =>
          process.send!({ id, error: error instanceof Error ? error.stack! : String(error) } satisfies Reply),
      );
  });
  process.on('disconnect', () => process.exit());
}

/** Where a process's profile goes, when one is wanted. */
let profileFolder: string | undefined;

/** Has every process that is started from now on write a CPU profile into `folder`. */
export function profileInto(folder: string): void {
  profileFolder = folder;
}

/** A process beside this one, so that what it does does not delay what is measured here. */
export class Companion<T extends Tasks> {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #id = 0;

  /** @param script a file of this folder without its ending, whose last word is `serve(…)` */
  constructor(script: string) {
    const execArgv = profileFolder ? ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`] : [];
    this.#child = fork(fileURLToPath(new URL(`${script}.js`, import.meta.url)), {
      execArgv,
      serialization: 'advanced',
    });
    this.#child.on('message', ({ id, value, error }: Reply) => {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error === undefined) call?.resolve(value);
      else call?.reject(new Error(error));
    });
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#calls.values())
        reject(new Error(`${script} ended early: ${signal ?? code}`));
    });
  }

  /** Has it do one of its tasks. @returns what it came to */
  call<Name extends keyof T & string>(
    task: Name,
    ...[argument]: Parameters<T[Name]>
  ): Promise<Awaited<ReturnType<T[Name]>>> {
    return new Promise((resolve, reject) => {
      const id = (this.#id += 1);
      this.#calls.set(id, { resolve: resolve, reject });
      this.#child.send({ id, task, argument } satisfies Call);
    });
  }

  /** Ends it. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    await gone;
  }
}

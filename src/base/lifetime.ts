import { BridgeError } from './errors.js';
import { systemClock, type Clock } from './clock.js';

/** Close function of an owned resource: returns a promise, or nothing when it closes at once. */
export type Closer = () => Promise<void> | void;

/**
 * Owns opened resources and closes them once, in reverse order, within a deadline. A closer that throws or
 * hangs does not keep the others from running; all failures are reported together at the end.
 */
export class Lifetime {
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #abort = new AbortController();
  #owned: { name: string; close: Closer }[] = [];
  #closing: Promise<void> | undefined;

  /** @param options.deadlineMs time limit of each closer, in milliseconds */
  constructor(options: { clock?: Clock; deadlineMs?: number } = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#deadlineMs = options.deadlineMs ?? 5000;
  }

  /** Aborted as soon as closing begins. Pass it to everything that waits. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** True once `close()` has been called. */
  get closing(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Takes ownership of a resource. A resource added after closing began is closed at once.
   * @param name name of the resource in errors
   * @returns a function that gives up ownership without closing
   */
  own(name: string, close: Closer): () => void {
    if (this.#closing) {
      void this.#run({ name, close });
      return () => undefined;
    }
    const entry = { name, close };
    this.#owned.push(entry);
    return () => {
      this.#owned = this.#owned.filter((other) => other !== entry);
    };
  }

  /**
   * Closes everything. Every call returns the same promise.
   * @throws AggregateError with one error for each closer that failed or exceeded the deadline
   */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#abort.abort(new BridgeError('CLOSED', 'It is being closed.'));
    const errors: unknown[] = [];
    for (let entry = this.#owned.pop(); entry; entry = this.#owned.pop()) {
      const error = await this.#run(entry);
      if (error !== undefined) errors.push(error);
    }
    if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join('; '));
  }

  async #run(entry: { name: string; close: Closer }): Promise<unknown> {
    let timer: { cancel(): void } | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = this.#clock.after(this.#deadlineMs, () => {
        reject(
          new BridgeError('CLOSE_TIMEOUT', `${entry.name} did not close within ${this.#deadlineMs} ms.`),
        );
      });
    });
    try {
      await Promise.race([Promise.resolve().then(entry.close), late]);
      return undefined;
    } catch (error) {
      return error;
    } finally {
      timer?.cancel();
    }
  }
}

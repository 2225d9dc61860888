import { BridgeError } from './errors.js';
import { systemClock, type Clock } from './clock.js';

/** What a lifetime closes: a promise of having closed, or nothing when it closes at once. */
export type Closer = () => Promise<void> | void;

/**
 * Owns what has been opened and closes it once, in reverse order, within a deadline.
 * A closer that throws or hangs does not keep the others from running: all of it is reported together at the end.
 */
export class Lifetime {
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #abort = new AbortController();
  #owned: { name: string; close: Closer }[] = [];
  #closing: Promise<void> | undefined;

  /** @param options.deadlineMs how long each closer may take before it is given up, in milliseconds */
  constructor(options: { clock?: Clock; deadlineMs?: number } = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#deadlineMs = options.deadlineMs ?? 5000;
  }

  /** Aborted as soon as closing begins: hand it to everything that waits. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** True once `close()` has been called. */
  get closing(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Takes something over. What is owned after closing began is closed at once.
   * @param name how an error names it
   * @returns a function that gives it back without closing it
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
   * Closes everything; every call returns the same promise.
   * @throws AggregateError with one error for each closer that failed or ran into the deadline
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

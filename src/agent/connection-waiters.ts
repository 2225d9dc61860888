import type { Clock } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** Those who wait for an agent to connect. */
export class ConnectionWaiters<T> {
  readonly #name: string;
  readonly #clock: Clock;
  #waiters: Waiter<T>[] = [];

  constructor(name: string, clock: Clock) {
    this.#name = name;
    this.#clock = clock;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiters.length;
  }

  /**
   * Settles when the agent comes.
   * @param waitMs how long to wait, in ms; 0 does not wait
   * @throws BridgeError AGENT_ABSENT when it did not come in time; the signal's reason when aborted
   */
  wait(waitMs: number, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (waitMs <= 0) {
      return Promise.reject(new BridgeError('AGENT_ABSENT', `Agent ${this.#name} is not connected.`));
    }
    return new Promise((resolve, reject) => {
      const forget = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
      };
      const waiter: Waiter<T> = {
        resolve: (value) => {
          forget();
          resolve(value);
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(signal?.reason as Error);
      const timer = this.#clock.after(waitMs, () =>
        waiter.reject(
          new BridgeError('AGENT_ABSENT', `Agent ${this.#name} did not connect within ${waitMs} ms.`),
        ),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** It came. */
  arrived(value: T): void {
    for (const waiter of [...this.#waiters]) waiter.resolve(value);
  }

  /** It will never come. */
  fail(error: Error): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}

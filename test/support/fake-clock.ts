import { setImmediate } from 'node:timers/promises';
import type { Clock, Timer } from '../../src/base/clock.js';

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that a test holds in its hand: time passes only in `advance`, `advanceSync` and `stall`.
 * Timers fire in the order in which they are due; those due at the same moment in the order in which they were set.
 */
export class FakeClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #pending = new Set<Pending>();

  /** @param startMs what `nowMs()` is at first; not 0, so that code which takes 0 for "never" is found out */
  constructor(startMs = 1000) {
    this.#nowMs = startMs;
  }

  /** How many timers are set: 0 after a clean end. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const pending = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /**
   * Lets time pass: each timer fires at its own moment, and all promises that hang on it run before the next fires.
   * @param ms milliseconds; 0 lets what is due now and all open promises run
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await setImmediate();
    for (let next = this.#next(untilMs); next; next = this.#next(untilMs)) {
      this.#fire(next, next.dueMs);
      await setImmediate();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
    await setImmediate();
  }

  /** The same for code without promises: nothing asynchronous runs in between. */
  advanceSync(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#next(untilMs); next; next = this.#next(untilMs)) this.#fire(next, next.dueMs);
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /**
   * A process that stood still: the time has passed before any timer fires, and all that are due then fire late.
   * @param ms how long it stood, in milliseconds
   */
  async stall(ms: number): Promise<void> {
    this.#nowMs += ms;
    await this.advance(0);
  }

  #next(untilMs: number): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.dueMs > untilMs) continue;
      if (
        !first ||
        pending.dueMs < first.dueMs ||
        (pending.dueMs === first.dueMs && pending.order < first.order)
      )
        first = pending;
    }
    return first;
  }

  #fire(pending: Pending, atMs: number): void {
    this.#pending.delete(pending);
    this.#nowMs = Math.max(this.#nowMs, atMs);
    pending.callback();
  }
}

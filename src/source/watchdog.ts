import type { Clock, Timer } from '../base/clock.js';

/**
 * Lateness of a timer, in ms, that means this process was suspended: the awaited data may have arrived
 * unread.
 */
const STALL_MS = 1_000;

/**
 * Reports when no data has come for too long, except when this process itself was suspended (a sleeping
 * laptop).
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #onHang: () => void;
  #fedAtMs: number;
  #timer: Timer;

  /** @param onHang called once, after `limitMs` milliseconds without `feed` */
  constructor(clock: Clock, limitMs: number, onHang: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onHang = onHang;
    this.#fedAtMs = clock.nowMs();
    this.#timer = this.#set(limitMs);
  }

  /** Resets the timeout: data has come. */
  feed(): void {
    this.#fedAtMs = this.#clock.nowMs();
  }

  /** Ends the watch; safe to call again. */
  stop(): void {
    this.#timer.cancel();
  }

  /** Sets one timer for many feeds: when it fires it checks for feeds since it was set. */
  #set(delayMs: number): Timer {
    const dueMs = this.#clock.nowMs() + delayMs;
    return this.#clock.after(delayMs, () => {
      const now = this.#clock.nowMs();
      if (now - dueMs > STALL_MS) this.#fedAtMs = now;
      const leftMs = this.#fedAtMs + this.#limitMs - now;
      if (leftMs <= 0) this.#onHang();
      else this.#timer = this.#set(leftMs);
    });
  }
}

import type { Clock, Timer } from '../base/clock.js';

/** A timer that is so late means that this process stood still: what was waited for may be there, unread. */
const STALL_MS = 1_000;

/** Tells when nothing has come for too long; not when it was this process that stood still (a laptop asleep). */
export class Watchdog {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #onHang: () => void;
  #fedAtMs: number;
  #timer: Timer;

  /** @param onHang called once, when `feed` was not called for `limitMs` milliseconds */
  constructor(clock: Clock, limitMs: number, onHang: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onHang = onHang;
    this.#fedAtMs = clock.nowMs();
    this.#timer = this.#set(limitMs);
  }

  /** Something has come. */
  feed(): void {
    this.#fedAtMs = this.#clock.nowMs();
  }

  /** Ends the watch; safe to call again. */
  stop(): void {
    this.#timer.cancel();
  }

  /** One timer for many feedings: it looks when it fires whether it was fed meanwhile. */
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

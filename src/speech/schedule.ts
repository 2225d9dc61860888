import { SAMPLES_PER_MS } from '../base/units.js';

/**
 * When samples may leave, as a pure function of `now`: no timer, no socket.
 *
 * The agent plays in real time from the moment the first frame reaches it, so what it has played follows from the
 * clock. A frame may leave while the agent holds at most the lead; just after, it holds at most lead + one frame
 * (protocol.md §4: what it holds is the cushion against gaps and the price of an interruption).
 *
 * When it ran dry, because the process or the source was late, the next frame starts a new anchor: time that was lost
 * is not caught up in a burst, and positions stay those of the samples. All times are monotonic ms.
 */
export class Schedule {
  #anchorMs = 0;
  #anchorSample = 0;
  #sentSamples = 0;
  #running = false;

  /** Samples sent since the schedule began. */
  get sentSamples(): number {
    return this.#sentSamples;
  }

  /** False until the first `sent()`. */
  get running(): boolean {
    return this.#running;
  }

  /** Samples the agent still holds; never negative. */
  heldSamples(nowMs: number): number {
    return Math.max(0, this.#sentSamples - this.#unboundedPlayed(nowMs));
  }

  /** How long the agent has had nothing left to play, in ms; 0 while it holds something. */
  dryMs(nowMs: number): number {
    return this.#running ? Math.max(0, this.#unboundedPlayed(nowMs) - this.#sentSamples) / SAMPLES_PER_MS : 0;
  }

  /** Samples the agent has played by `nowMs`; at most those sent. */
  playedSamples(nowMs: number): number {
    return Math.min(this.#unboundedPlayed(nowMs), this.#sentSamples);
  }

  /** True when a frame may leave at `nowMs`: the agent holds no more than `leadSamples`. */
  maySend(nowMs: number, leadSamples: number): boolean {
    return !this.#running || this.#sentSamples - this.#unboundedPlayed(nowMs) <= leadSamples;
  }

  /** The moment from which the next frame may leave. */
  nextDueMs(leadSamples: number): number {
    return this.timeOf(this.#sentSamples - leadSamples);
  }

  /** The moment at which the sample at `position` begins to play, as far as what was sent tells. */
  timeOf(position: number): number {
    return this.#anchorMs + (position - this.#anchorSample) / SAMPLES_PER_MS;
  }

  /**
   * Records samples that left at `nowMs`.
   * @param anchorMs where a new anchor stands when one is needed: a slot boundary of the timer at or after `nowMs`, so
   * that every later frame falls due on one
   * @returns how long the agent had been dry, in ms: 0 on time or at the start, else the length of the gap just ended
   */
  sent(samples: number, nowMs: number, anchorMs: number = nowMs): number {
    const dryMs = this.dryMs(nowMs);
    if (!this.#running || dryMs > 0) this.#anchor(anchorMs, this.#sentSamples);
    this.#sentSamples += samples;
    return dryMs;
  }

  /**
   * States that the agent had played only `position` samples at `nowMs`: after it had stopped reading, what was sent
   * meanwhile still lies ahead of it.
   */
  correct(position: number, nowMs: number): void {
    this.#anchor(nowMs, Math.min(position, this.#sentSamples));
  }

  #anchor(nowMs: number, position: number): void {
    this.#anchorMs = nowMs;
    this.#anchorSample = position;
    this.#running = true;
  }

  #unboundedPlayed(nowMs: number): number {
    if (!this.#running) return 0;
    return this.#anchorSample + Math.max(0, nowMs - this.#anchorMs) * SAMPLES_PER_MS;
  }
}

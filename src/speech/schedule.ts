import { SAMPLES_PER_MS } from '../base/units.js';

/**
 * Decides when samples may be sent, as a pure function of `now`, without timer or socket.
 *
 * The agent plays in real time from the arrival of the first frame, so the played samples follow from the
 * clock. A frame may be sent while the agent holds at most the lead; just after, it holds at most lead + one
 * frame (protocol.md §4: the held sound protects against gaps but delays an interruption).
 *
 * After the agent ran dry, because the process or the source was late, the next frame starts a new anchor:
 * lost time is not made up by a burst, and positions still count samples. All times are monotonic ms.
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

  /** Returns the samples the agent still holds; never negative. */
  heldSamples(nowMs: number): number {
    return Math.max(0, this.#sentSamples - this.#unboundedPlayed(nowMs));
  }

  /** Returns the time the agent has had nothing left to play, in ms; 0 while it holds samples. */
  dryMs(nowMs: number): number {
    return this.#running ? Math.max(0, this.#unboundedPlayed(nowMs) - this.#sentSamples) / SAMPLES_PER_MS : 0;
  }

  /** Returns the samples the agent has played by `nowMs`; at most those sent. */
  playedSamples(nowMs: number): number {
    return Math.min(this.#unboundedPlayed(nowMs), this.#sentSamples);
  }

  /** True when a frame may be sent at `nowMs`: the agent holds at most `leadSamples`. */
  maySend(nowMs: number, leadSamples: number): boolean {
    return !this.#running || this.#sentSamples - this.#unboundedPlayed(nowMs) <= leadSamples;
  }

  /** Returns the time from which the next frame may be sent. */
  nextDueMs(leadSamples: number): number {
    return this.timeOf(this.#sentSamples - leadSamples);
  }

  /**
   * Returns the time at which the sample at `position` begins to play, calculated from the samples sent so
   * far.
   */
  timeOf(position: number): number {
    return this.#anchorMs + (position - this.#anchorSample) / SAMPLES_PER_MS;
  }

  /**
   * Records samples sent at `nowMs`.
   * @param anchorMs time of a new anchor if one is needed: a slot boundary of the timer at or after `nowMs`,
   * so that later frames fall due on slot boundaries
   * @returns the time the agent had been dry, in ms: 0 when on time or at the start, otherwise the length of
   * the gap just ended
   */
  sent(samples: number, nowMs: number, anchorMs: number = nowMs): number {
    const dryMs = this.dryMs(nowMs);
    if (!this.#running || dryMs > 0) this.#anchor(anchorMs, this.#sentSamples);
    this.#sentSamples += samples;
    return dryMs;
  }

  /**
   * Corrects the schedule: at `nowMs` the agent had played only `position` samples. After it had stopped
   * reading, the samples sent since are still ahead of it.
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

/**
 * Window in which the most prompt arrival is searched: long enough to detect a late wake-up, short enough for
 * clock drift.
 */
const WINDOW_MS = 10_000;

interface Arrival {
  /** Capture time of sample 0, assuming that this piece came without delay, in monotonic ms. */
  readonly originMs: number;
  readonly atMs: number;
}

/**
 * Estimates when the samples of a live source were captured, from their arrival times. A piece's last sample
 * was captured no later than the piece came, and samples follow each other at their rate. So the most prompt
 * of the recent pieces gives the time of all samples, and a piece that was read late counts as late. A
 * constant delay in the system itself cannot be detected. Pure; the time is an argument.
 */
export class CaptureClock {
  readonly #samplesPerMs: number;
  #samples = 0;
  /** Origins in rising order, so that the first is the minimum of the window. */
  #waiters: Arrival[] = [];

  constructor(sampleRateHz: number) {
    this.#samplesPerMs = sampleRateHz / 1000;
  }

  /** Records the arrival of samples. */
  came(samples: number, nowMs: number): void {
    this.#samples += samples;
    const originMs = nowMs - this.#samples / this.#samplesPerMs;
    while (this.#waiters.length > 0 && this.#waiters[0]!.atMs < nowMs - WINDOW_MS) this.#waiters.shift();
    while (this.#waiters.length > 0 && this.#waiters.at(-1)!.originMs >= originMs) this.#waiters.pop();
    this.#waiters.push({ originMs, atMs: nowMs });
  }

  /** @returns the capture time of a sample, in monotonic ms; undefined before any came */
  timeOf(sample: number): number | undefined {
    const first = this.#waiters[0];
    return first && first.originMs + sample / this.#samplesPerMs;
  }
}

/** How far back the best arrival is looked for: long enough for a late wake-up to be found out, short for a clock to drift. */
const WINDOW_MS = 10_000;

interface Arrival {
  /** When sample 0 would have been captured, had this piece come without delay, in monotonic ms. */
  readonly originMs: number;
  readonly atMs: number;
}

/**
 * When the samples of a live source were captured, worked out from when they came. A piece's last sample was captured
 * no later than the piece came, and samples follow each other at their rate: so of all recent pieces the one that came
 * most promptly tells the time of all samples, and a piece that was read late counts as late. What the system itself
 * holds back of every piece alike cannot be seen from here. Pure; the time is an argument.
 */
export class CaptureClock {
  readonly #samplesPerMs: number;
  #samples = 0;
  /** Origins that only rise, so that the first is the least of the window. */
  #waiters: Arrival[] = [];

  constructor(sampleRateHz: number) {
    this.#samplesPerMs = sampleRateHz / 1000;
  }

  /** So many more samples have come. */
  came(samples: number, nowMs: number): void {
    this.#samples += samples;
    const originMs = nowMs - this.#samples / this.#samplesPerMs;
    while (this.#waiters.length > 0 && this.#waiters[0]!.atMs < nowMs - WINDOW_MS) this.#waiters.shift();
    while (this.#waiters.length > 0 && this.#waiters.at(-1)!.originMs >= originMs) this.#waiters.pop();
    this.#waiters.push({ originMs, atMs: nowMs });
  }

  /** @returns when the sample of that number was captured, in monotonic ms; undefined before any came */
  timeOf(sample: number): number | undefined {
    const first = this.#waiters[0];
    return first && first.originMs + sample / this.#samplesPerMs;
  }
}

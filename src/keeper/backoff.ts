/** Lifetime after which earlier failures of workers are forgotten, in ms. */
const WELL_AFTER_MS = 60_000;

/**
 * Delays before an ended worker is restarted: none the first time, then ever longer while workers keep ending soon.
 * Pure: the lifetimes are arguments.
 */
export class Backoff {
  readonly #firstMs: number;
  readonly #longestMs: number;
  #failures = 0;

  /**
   * @param options.firstMs first delay, in ms; each further one is twice as long
   * @param options.longestMs longest delay, in ms
   */
  constructor(options: { firstMs?: number; longestMs?: number } = {}) {
    this.#firstMs = options.firstMs ?? 100;
    this.#longestMs = options.longestMs ?? 30_000;
  }

  /** Number of early ends in a row. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Records the end of a worker.
   * @param livedMs from its start to its end
   * @returns delay before the next one, in ms
   */
  next(livedMs: number): number {
    if (livedMs >= WELL_AFTER_MS) this.#failures = 0;
    this.#failures += 1;
    if (this.#failures === 1) return 0;
    return Math.min(this.#longestMs, this.#firstMs * 2 ** (this.#failures - 2));
  }
}

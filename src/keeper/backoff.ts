/** A worker that lived this long was well: what came before is forgiven. */
const WELL_AFTER_MS = 60_000;

/**
 * How long to wait before a worker that ended is started again: at once the first time, then ever longer while the
 * workers keep ending soon. Pure: it is told how long each lived.
 */
export class Backoff {
  readonly #firstMs: number;
  readonly #longestMs: number;
  #failures = 0;

  /**
   * @param options.firstMs the first wait that is one, in ms; each after it is twice as long
   * @param options.longestMs …up to this
   */
  constructor(options: { firstMs?: number; longestMs?: number } = {}) {
    this.#firstMs = options.firstMs ?? 100;
    this.#longestMs = options.longestMs ?? 30_000;
  }

  /** Ends in a row that came soon. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * A worker has ended.
   * @param livedMs from its start to its end
   * @returns how long to wait before the next one, in ms
   */
  next(livedMs: number): number {
    if (livedMs >= WELL_AFTER_MS) this.#failures = 0;
    this.#failures += 1;
    if (this.#failures === 1) return 0;
    return Math.min(this.#longestMs, this.#firstMs * 2 ** (this.#failures - 2));
  }
}

/** Round trips that the statistics look back on. */
const WINDOW = 64;

/** The round trip of the marks, in ms. */
export interface RoundTrip {
  readonly count: number;
  readonly lastMs: number;
  readonly minMs: number;
  readonly medianMs: number;
  readonly maxMs: number;
  /** How far apart the fastest and nearly the slowest of the window are: what a lead has to cover. */
  readonly jitterMs: number;
}

/** The round trips of the last marks. They are kept in their order of length: whoever adapts a lead looks at every one. */
export class RoundTrips {
  /** As they came, the oldest first. */
  readonly #window: number[] = [];
  /** The same, the shortest first. */
  readonly #sorted: number[] = [];
  #count = 0;

  /** A mark came back after so long, in ms. */
  add(ms: number): void {
    this.#count += 1;
    if (this.#window.length === WINDOW) this.#sorted.splice(this.#sorted.indexOf(this.#window.shift()!), 1);
    this.#window.push(ms);
    const at = this.#sorted.findIndex((other) => other > ms);
    this.#sorted.splice(at < 0 ? this.#sorted.length : at, 0, ms);
  }

  /** The statistics of the last 64; nothing before the first. */
  get statistics(): RoundTrip | undefined {
    const sorted = this.#sorted;
    const lastMs = this.#window.at(-1);
    if (lastMs === undefined) return undefined;
    const at = (share: number): number => sorted[Math.floor(share * sorted.length)]!;
    return {
      count: this.#count,
      lastMs,
      minMs: sorted[0]!,
      medianMs: at(0.5),
      maxMs: sorted.at(-1)!,
      jitterMs: at(0.95) - sorted[0]!,
    };
  }
}

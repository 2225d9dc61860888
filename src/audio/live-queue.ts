/**
 * Sound that comes in its own time on its way to somebody who may not keep up: a bounded queue that drops the oldest
 * and counts it. When it overflows it drops down to what is worth keeping, not just by what is too much: a queue that
 * stays full is a delay that never goes away.
 */
export class LiveQueue {
  readonly #maxSamples: number;
  readonly #keepSamples: number;
  readonly #blocks: Int16Array[] = [];
  #queued = 0;
  #dropped = 0;
  #end: { readonly error: Error | undefined } | undefined;
  #wake: (() => void) | undefined;

  /**
   * @param options.maxSamples the most it holds
   * @param options.keepSamples what is left after it overflowed; by default half
   */
  constructor(options: { maxSamples: number; keepSamples?: number }) {
    this.#maxSamples = options.maxSamples;
    this.#keepSamples = Math.min(options.keepSamples ?? options.maxSamples / 2, options.maxSamples);
  }

  /** Samples that wait. */
  get queuedSamples(): number {
    return this.#queued;
  }

  /** Samples dropped so far. */
  get droppedSamples(): number {
    return this.#dropped;
  }

  /**
   * Adds samples, which then belong to the queue; after the end nothing.
   * @returns how many samples were dropped for it
   */
  push(samples: Int16Array): number {
    if (this.#end || samples.length === 0) return 0;
    this.#blocks.push(samples);
    this.#queued += samples.length;
    const dropped = this.#queued > this.#maxSamples ? this.dropTo(this.#keepSamples) : 0;
    this.#notify();
    return dropped;
  }

  /** Drops the oldest until at most so many samples are left. @returns how many were dropped */
  dropTo(samples: number): number {
    let dropped = 0;
    while (this.#queued - dropped > samples) {
      const first = this.#blocks[0]!;
      const excess = this.#queued - dropped - Math.floor(samples);
      if (first.length <= excess) this.#blocks.shift();
      else this.#blocks[0] = first.subarray(excess);
      dropped += Math.min(first.length, excess);
    }
    this.#queued -= dropped;
    this.#dropped += dropped;
    return dropped;
  }

  /** Ends it: what is queued can still be taken, then comes the error, if there is one. Only the first end counts. */
  end(error?: Error): void {
    this.#end ??= { error };
    this.#notify();
  }

  /** @returns the oldest samples, at most so many and never across a block; undefined when there are none now */
  take(maxSamples = Infinity): Int16Array | undefined {
    const first = this.#blocks[0];
    if (first === undefined) return undefined;
    if (first.length <= maxSamples) this.#blocks.shift();
    else this.#blocks[0] = first.subarray(maxSamples);
    const taken = first.length <= maxSamples ? first : first.subarray(0, maxSamples);
    this.#queued -= taken.length;
    return taken;
  }

  /**
   * The same, but waits. For one taker at a time.
   * @returns undefined at the end
   * @throws the error it was ended with
   */
  async next(maxSamples = Infinity): Promise<Int16Array | undefined> {
    for (;;) {
      const taken = this.take(maxSamples);
      if (taken !== undefined) return taken;
      if (this.#end) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return undefined;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

import { SampleQueue } from './sample-queue.js';

/**
 * Bounded queue for live sound and a consumer that may be too slow: it drops the oldest samples and counts
 * them. On overflow it drops down to `keepSamples`, not just by the excess, because a queue that stays full
 * is a permanent delay.
 */
export class LiveQueue {
  readonly #maxSamples: number;
  readonly #keepSamples: number;
  readonly #queue = new SampleQueue();
  #dropped = 0;
  #pushed = 0;
  #takenFrom = 0;
  #end: { readonly error: Error | undefined } | undefined;
  #wake: (() => void) | undefined;

  /**
   * @param options.maxSamples maximum number of samples
   * @param options.keepSamples samples kept after an overflow; default: half
   */
  constructor(options: { maxSamples: number; keepSamples?: number }) {
    this.#maxSamples = options.maxSamples;
    this.#keepSamples = Math.min(options.keepSamples ?? options.maxSamples / 2, options.maxSamples);
  }

  /** Number of waiting samples. */
  get queuedSamples(): number {
    return this.#queue.samples;
  }

  /** Samples dropped so far. */
  get droppedSamples(): number {
    return this.#dropped;
  }

  /** Position of the last taken samples, counted in all samples ever pushed. */
  get takenFromSample(): number {
    return this.#takenFrom;
  }

  /**
   * Adds samples, which then belong to the queue; does nothing after the end.
   * @returns the number of samples dropped for it
   */
  push(samples: Int16Array): number {
    if (this.#end || samples.length === 0) return 0;
    this.#queue.push(samples);
    this.#pushed += samples.length;
    const dropped = this.#queue.samples > this.#maxSamples ? this.#queue.dropTo(this.#keepSamples) : 0;
    this.#dropped += dropped;
    this.#notify();
    return dropped;
  }

  /**
   * Ends the queue: waiting samples can still be taken, then the error is thrown, if any. Only the first call
   * counts.
   */
  end(error?: Error): void {
    this.#end ??= { error };
    this.#notify();
  }

  /**
   * @returns the oldest samples, at most `maxSamples` and never across a block; undefined when there are none
   * now
   */
  take(maxSamples = Infinity): Int16Array | undefined {
    this.#takenFrom = this.#pushed - this.#queue.samples;
    return this.#queue.takeBlock(maxSamples);
  }

  /**
   * Returns the oldest samples, and waits for some when there are none. Only one consumer may wait.
   * @returns undefined at the end
   * @throws the error of the end
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

import { SampleQueue } from './sample-queue.js';

/**
 * Sound that comes in its own time on its way to somebody who may not keep up: a bounded queue that drops the oldest
 * and counts it. When it overflows it drops down to what is worth keeping, not just by what is too much: a queue that
 * stays full is a delay that never goes away.
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
   * @param options.maxSamples the most it holds
   * @param options.keepSamples what is left after it overflowed; by default half
   */
  constructor(options: { maxSamples: number; keepSamples?: number }) {
    this.#maxSamples = options.maxSamples;
    this.#keepSamples = Math.min(options.keepSamples ?? options.maxSamples / 2, options.maxSamples);
  }

  /** Samples that wait. */
  get queuedSamples(): number {
    return this.#queue.samples;
  }

  /** Samples dropped so far. */
  get droppedSamples(): number {
    return this.#dropped;
  }

  /** Where the samples that were taken last begin, counted in all that was ever pushed. */
  get takenFromSample(): number {
    return this.#takenFrom;
  }

  /**
   * Adds samples, which then belong to the queue; after the end nothing.
   * @returns how many samples were dropped for it
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

  /** Ends it: what is queued can still be taken, then comes the error, if there is one. Only the first end counts. */
  end(error?: Error): void {
    this.#end ??= { error };
    this.#notify();
  }

  /** @returns the oldest samples, at most so many and never across a block; undefined when there are none now */
  take(maxSamples = Infinity): Int16Array | undefined {
    this.#takenFrom = this.#pushed - this.#queue.samples;
    return this.#queue.takeBlock(maxSamples);
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

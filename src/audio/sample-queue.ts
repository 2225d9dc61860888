/** Queue of samples. It copies only samples that are taken across blocks. */
export class SampleQueue {
  #blocks: Int16Array[] = [];
  /** Samples of the first block that have been taken. */
  #taken = 0;
  #samples = 0;

  /** Number of waiting samples. */
  get samples(): number {
    return this.#samples;
  }

  /** Appends samples, which then belong to the queue. */
  push(samples: Int16Array): void {
    if (samples.length === 0) return;
    this.#blocks.push(samples);
    this.#samples += samples.length;
  }

  /** Puts samples back in front. */
  unshift(samples: Int16Array): void {
    if (samples.length === 0) return;
    if (this.#taken > 0) this.#blocks[0] = this.#blocks[0]!.subarray(this.#taken);
    this.#taken = 0;
    this.#blocks.unshift(samples);
    this.#samples += samples.length;
  }

  /**
   * @returns the oldest samples, at most `maxSamples` and never across a block; undefined when there are none
   */
  takeBlock(maxSamples = Infinity): Int16Array | undefined {
    const first = this.#blocks[0];
    if (first === undefined || maxSamples < 1) return undefined;
    const from = this.#taken;
    const to = Math.min(from + maxSamples, first.length);
    if (to === first.length) this.#blocks.shift();
    this.#taken = to === first.length ? 0 : to;
    this.#samples -= to - from;
    return to - from === first.length ? first : first.subarray(from, to);
  }

  /** @returns the oldest samples, up to `maxSamples`; undefined when there are none */
  take(maxSamples: number): Int16Array | undefined {
    const count = Math.min(maxSamples, this.#samples);
    const first = this.takeBlock(count);
    if (first === undefined || first.length === count) return first;
    const taken = new Int16Array(count);
    taken.set(first);
    for (let filled = first.length; filled < count;) {
      const part = this.takeBlock(count - filled)!;
      taken.set(part, filled);
      filled += part.length;
    }
    return taken;
  }

  /** Drops the oldest until at most `maxSamples` are left. @returns the number of dropped samples */
  dropTo(maxSamples: number): number {
    const before = this.#samples;
    const keep = Math.max(0, Math.floor(maxSamples));
    while (this.#samples > keep) this.takeBlock(this.#samples - keep);
    return before - this.#samples;
  }

  /** Drops all samples. */
  clear(): void {
    this.#blocks = [];
    this.#taken = 0;
    this.#samples = 0;
  }
}

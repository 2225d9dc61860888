/** Samples that wait, in the order in which they came. Copies only what is taken across the blocks that came. */
export class SampleQueue {
  #blocks: Int16Array[] = [];
  #samples = 0;

  /** Samples that wait. */
  get samples(): number {
    return this.#samples;
  }

  /** Adds samples at the end; they belong to the queue from then on. */
  push(samples: Int16Array): void {
    if (samples.length === 0) return;
    this.#blocks.push(samples);
    this.#samples += samples.length;
  }

  /** Puts samples back in front. */
  unshift(samples: Int16Array): void {
    if (samples.length === 0) return;
    this.#blocks.unshift(samples);
    this.#samples += samples.length;
  }

  /** @returns the oldest samples, at most so many and never across a block; undefined when none are there */
  takeBlock(maxSamples = Infinity): Int16Array | undefined {
    const first = this.#blocks[0];
    if (first === undefined || maxSamples < 1) return undefined;
    if (first.length <= maxSamples) this.#blocks.shift();
    else this.#blocks[0] = first.subarray(maxSamples);
    const taken = first.length <= maxSamples ? first : first.subarray(0, maxSamples);
    this.#samples -= taken.length;
    return taken;
  }

  /** @returns the oldest samples, so many or as many as there are; undefined when none are there */
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

  /** Drops the oldest until at most so many are left. @returns how many were dropped */
  dropTo(maxSamples: number): number {
    const before = this.#samples;
    const keep = Math.max(0, Math.floor(maxSamples));
    while (this.#samples > keep) this.takeBlock(this.#samples - keep);
    return before - this.#samples;
  }

  /** Drops all. */
  clear(): void {
    this.#blocks = [];
    this.#samples = 0;
  }
}

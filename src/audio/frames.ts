/**
 * Cuts a stream of samples into frames of one size. Pure; loses nothing and copies no sample more than once: what lies
 * whole within an input comes out as a view of it.
 */
export class Framer {
  readonly #samplesPerFrame: number;
  /** The frame that is being filled across inputs, and how far it is. */
  #partial: Int16Array | undefined;
  #filled = 0;

  /**
   * @param samplesPerFrame 1 or more, a whole number
   * @throws RangeError when it is not
   */
  constructor(samplesPerFrame: number) {
    if (!Number.isInteger(samplesPerFrame) || samplesPerFrame < 1)
      throw new RangeError(`A frame of ${samplesPerFrame} samples cannot be.`);
    this.#samplesPerFrame = samplesPerFrame;
  }

  /**
   * Adds samples.
   * @param samples of any length; frames may be views of it, so it must not be written to afterwards
   * @returns the frames that are now whole, in order; often none
   */
  push(samples: Int16Array): Int16Array[] {
    const size = this.#samplesPerFrame;
    const frames: Int16Array[] = [];
    let at = 0;
    if (this.#partial) {
      at = Math.min(size - this.#filled, samples.length);
      this.#partial.set(samples.subarray(0, at), this.#filled);
      this.#filled += at;
      if (this.#filled < size) return frames;
      frames.push(this.#partial);
      this.#partial = undefined;
      this.#filled = 0;
    }
    for (; at + size <= samples.length; at += size) frames.push(samples.subarray(at, at + size));
    if (at < samples.length) {
      this.#partial = new Int16Array(size);
      this.#partial.set(samples.subarray(at));
      this.#filled = samples.length - at;
    }
    return frames;
  }

  /** Samples that wait for the rest of their frame. */
  get pending(): number {
    return this.#filled;
  }

  /**
   * The end of the sound, or of what is known of it.
   * @returns the last, shorter frame as it is, not padded; nothing when the last frame was whole
   */
  flush(): Int16Array | undefined {
    const rest = this.#partial?.subarray(0, this.#filled);
    this.#partial = undefined;
    this.#filled = 0;
    return rest;
  }
}

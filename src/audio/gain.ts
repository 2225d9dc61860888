import { dbToFactor, SAMPLE_RATE_HZ } from '../base/units.js';

/**
 * Changes the volume of a sound. A change is a ramp, because a jump clicks; values beyond 16 bits are clamped
 * and counted.
 */
export class Gain {
  readonly #rampStepsPerUnit: number;
  #factor: number;
  #target: number;
  #step = 0;
  #clippedSamples = 0;

  /**
   * @param options.gainDb in decibels, 0 is unchanged; applies from the first sample on
   * @param options.rampMs duration of a later change, in milliseconds
   * @param options.sampleRateHz samples per second of the input, all channels together
   */
  constructor(options: { gainDb?: number; rampMs?: number; sampleRateHz?: number } = {}) {
    const rampSamples = ((options.rampMs ?? 20) * (options.sampleRateHz ?? SAMPLE_RATE_HZ)) / 1000;
    this.#rampStepsPerUnit = 1 / Math.max(1, rampSamples);
    this.#factor = this.#target = dbToFactor(options.gainDb ?? 0);
  }

  /** Samples clamped so far. */
  get clippedSamples(): number {
    return this.#clippedSamples;
  }

  /** Ramps to another gain, in decibels. `-Infinity` mutes. */
  setGainDb(gainDb: number): void {
    this.#target = dbToFactor(gainDb);
    this.#step = (this.#target - this.#factor) * this.#rampStepsPerUnit;
  }

  /** @returns the samples with the gain applied; the same array when nothing changes */
  push(samples: Int16Array): Int16Array {
    if (this.#factor === 1 && this.#target === 1) return samples;
    const out = new Int16Array(samples.length);
    for (let i = 0; i < samples.length; i++) {
      if (this.#factor !== this.#target) this.#advance();
      const value = Math.round(samples[i]! * this.#factor);
      const clamped = value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : value;
      if (clamped !== value) this.#clippedSamples++;
      out[i] = clamped;
    }
    return out;
  }

  #advance(): void {
    const next = this.#factor + this.#step;
    const there = this.#step > 0 ? next >= this.#target : next <= this.#target;
    this.#factor = there ? this.#target : next;
  }
}

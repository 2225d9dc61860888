/** Lowest reported level: about one bit of 16, and the value of digital silence. */
export const SILENCE_DBFS = -96;

/** Level since the last reading. */
export interface Level {
  /** Loudest sample, in dB below full scale (0 is full scale), at least -96. */
  readonly peakDbfs: number;
  /** Mean power, in the same unit: a full-scale sine reads -3.0, a full-scale square 0. */
  readonly rmsDbfs: number;
  /** Samples at full scale: the sound was probably clipped when it was captured. */
  readonly clippedSamples: number;
}

/**
 * Measures the level of a sound, for a meter on a terminal or a page. Any rate; channels count together.
 */
export class LevelMeter {
  #peak = 0;
  #sumOfSquares = 0;
  #samples = 0;
  #clippedSamples = 0;

  /** Takes the next samples. */
  push(samples: Int16Array): void {
    for (const sample of samples) {
      const magnitude = Math.abs(sample);
      if (magnitude > this.#peak) this.#peak = magnitude;
      if (magnitude >= 32_767) this.#clippedSamples++;
      this.#sumOfSquares += sample * sample;
    }
    this.#samples += samples.length;
  }

  /** Returns the level since the last reading and starts again. */
  read(): Level {
    const level = {
      peakDbfs: toDbfs(this.#peak),
      rmsDbfs: toDbfs(Math.sqrt(this.#sumOfSquares / Math.max(1, this.#samples))),
      clippedSamples: this.#clippedSamples,
    };
    this.#peak = this.#sumOfSquares = this.#samples = this.#clippedSamples = 0;
    return level;
  }
}

/**
 * Converts an amplitude of 16-bit sound to a level.
 * @param amplitude 0 to 32,768
 * @returns dB below full scale, from -96 to 0
 */
export function toDbfs(amplitude: number): number {
  return amplitude <= 0 ? SILENCE_DBFS : Math.max(SILENCE_DBFS, 20 * Math.log10(amplitude / 32_768));
}

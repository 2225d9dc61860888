import { SAMPLE_RATE_HZ, samplesToMs } from '../base/units.js';

/** Samples per peak: 20 ms, fine enough for a waveform. */
export const PEAK_SAMPLES = SAMPLE_RATE_HZ / 50;

/** Consecutive peaks of a sound. */
export interface PeakStretch {
  /** Position of the first peak in the sound, in ms. */
  readonly fromMs: number;
  /** Duration of each peak, in ms. */
  readonly stepMs: number;
  /** Loudest sample of each interval, from 0 to 255 (full scale). */
  readonly peaks: readonly number[];
}

/** Reduces a sound to its outline for drawing: one number per 20 ms. */
export class PeakMeter {
  readonly #stretchPeaks: number;
  #peaks: number[] = [];
  /** Position after the last sample. */
  #atSample = -1;
  #loudest = 0;

  /** @param stretchPeaks number of peaks returned together */
  constructor(stretchPeaks: number) {
    this.#stretchPeaks = stretchPeaks;
  }

  /**
   * Takes samples. When they do not continue the samples before (a sound that was sent again), it starts
   * again.
   * @param atSample position of the first one in the sound
   * @returns the next stretch, once it is complete
   */
  push(atSample: number, samples: Int16Array): PeakStretch | undefined {
    if (atSample !== this.#atSample) {
      this.#peaks = [];
      this.#loudest = 0;
      this.#atSample = atSample;
    }
    for (const sample of samples) {
      const magnitude = sample < 0 ? -sample : sample;
      if (magnitude > this.#loudest) this.#loudest = magnitude;
      this.#atSample += 1;
      if (this.#atSample % PEAK_SAMPLES === 0) this.#step();
    }
    return this.#peaks.length >= this.#stretchPeaks ? this.#take() : undefined;
  }

  /** Ends the sound, or its known part. @returns the remaining peaks, the last one shortened */
  flush(): PeakStretch | undefined {
    const part = this.#atSample % PEAK_SAMPLES;
    if (part > 0 && this.#atSample > 0) {
      this.#atSample += PEAK_SAMPLES - part;
      this.#step();
    }
    return this.#peaks.length > 0 ? this.#take() : undefined;
  }

  #step(): void {
    this.#peaks.push(Math.min(255, Math.round((this.#loudest * 255) / 32_767)));
    this.#loudest = 0;
  }

  #take(): PeakStretch {
    const peaks = this.#peaks;
    this.#peaks = [];
    const firstStep = Math.floor(this.#atSample / PEAK_SAMPLES) - peaks.length;
    return { fromMs: samplesToMs(firstStep * PEAK_SAMPLES), stepMs: samplesToMs(PEAK_SAMPLES), peaks };
  }
}

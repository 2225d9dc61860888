import { SAMPLE_RATE_HZ, samplesToMs } from '../base/units.js';

/** Samples that one peak stands for: 20 ms, fine enough for a waveform. */
export const PEAK_SAMPLES = SAMPLE_RATE_HZ / 50;

/** The loudest moments of a stretch of sound, one after the other. */
export interface PeakStretch {
  /** Where in the sound the first of them begins, in ms. */
  readonly fromMs: number;
  /** What each of them stands for, in ms. */
  readonly stepMs: number;
  /** The loudest sample of each, from 0 to 255, which is full scale. */
  readonly peaks: readonly number[];
}

/** Reduces a sound to its outline, for whoever draws it: one number for 20 ms. */
export class PeakMeter {
  readonly #stretchPeaks: number;
  #peaks: number[] = [];
  /** Where the sample after the last one lies. */
  #atSample = -1;
  #loudest = 0;

  /** @param stretchPeaks peaks that are gathered before they are handed over together */
  constructor(stretchPeaks: number) {
    this.#stretchPeaks = stretchPeaks;
  }

  /**
   * Takes samples in. Where they do not follow those before them (a sound that was sent again), it begins anew.
   * @param atSample the place of the first one in the sound
   * @returns the next stretch, once it is whole
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

  /** The end of the sound, or of what is known of it. @returns what had not been handed over, the last peak cut short */
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

import { samplesToMs } from '../base/units.js';

interface Stretch {
  readonly fromSample: number;
  readonly fromMs: number;
}

/**
 * Where each sample of a 16 kHz stream lies on a scale of milliseconds: in stretches, within which time passes as the
 * samples do. What has been asked for moves forward, so what lies behind it is forgotten.
 */
export class Timeline {
  #stretches: Stretch[] = [];

  /** From this sample on, which lies behind all before, the stream is at `ms`. */
  add(fromSample: number, ms: number): void {
    this.#stretches.push({ fromSample, fromMs: ms });
  }

  /** @returns the ms of a sample; undefined when nothing is known of it */
  msOf(sample: number): number | undefined {
    while (this.#stretches.length > 1 && this.#stretches[1]!.fromSample <= sample) this.#stretches.shift();
    const stretch = this.#stretches[0];
    return stretch && stretch.fromMs + samplesToMs(sample - stretch.fromSample);
  }
}

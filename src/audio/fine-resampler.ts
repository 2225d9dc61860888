import { BridgeError } from '../base/errors.js';
import { SAMPLE_RATE_HZ } from '../base/units.js';
import { INT16_SCALE } from './downmix.js';
import { quantise } from './quantise.js';
import type { Speex } from './resample.js';

/**
 * Quality as for all other conversions; here its distortion is below that of 16 bits (-92 dB at half scale,
 * measured).
 */
const QUALITY = 7;
/** Samples per call of the library: the output must fit the shared scratch space of 4,096. */
const SLICE = 2048;
/** Look-ahead of the filter, in samples; this many stay in it. */
export const FINE_LOOKAHEAD_SAMPLES = 64;
/** Largest term of a ratio that the library can change to without losing its position (see speex.d.ts). */
const MAX_TERM = 65_535;
/** Smallest correction, up or down: 1 ms in 65 s. The library must not be set to 1/1. */
const MIN_PPM = 1e6 / MAX_TERM;

/**
 * Makes 16 kHz mono sound slightly longer or shorter, by a ratio that can change at any time without a click.
 * The delay of its filter (4 ms) is removed at the start. Its memory is not garbage-collected: call `free()`.
 */
export class FineResampler {
  readonly #speex: Speex;
  #state: number;
  #numerator: number;
  #denominator: number;

  /**
   * @param speex result of `loadSpeex()`
   * @throws BridgeError INTERNAL when there is not enough memory
   */
  constructor(speex: Speex) {
    this.#speex = speex;
    [this.#numerator, this.#denominator] = ratioOfPpm(0);
    this.#state = speex.module._speex_resampler_init_frac(
      1,
      this.#numerator,
      this.#denominator,
      SAMPLE_RATE_HZ,
      SAMPLE_RATE_HZ,
      QUALITY,
      speex.lengths,
    );
    if (this.#state === 0) throw new BridgeError('INTERNAL', 'No resampler could be made for live sound.');
    speex.module._speex_resampler_skip_zeros(this.#state);
  }

  /** Current correction, in millionths; never exactly 0, at least 15 up or down. */
  get ppm(): number {
    return (this.#numerator / this.#denominator - 1) * 1e6;
  }

  /** @param ppm excess of input samples over output samples, in millionths; negative for fewer */
  setPpm(ppm: number): void {
    const [numerator, denominator] = ratioOfPpm(ppm);
    if (numerator === this.#numerator && denominator === this.#denominator) return;
    const { module } = this.#speex;
    const failed = module._speex_resampler_set_rate_frac(
      this.#state,
      numerator,
      denominator,
      SAMPLE_RATE_HZ,
      SAMPLE_RATE_HZ,
    );
    if (failed !== 0) throw new BridgeError('INTERNAL', `The resampler refused a ratio with code ${failed}.`);
    this.#numerator = numerator;
    this.#denominator = denominator;
  }

  /** @returns the corrected samples that are ready; 4 ms stay in the filter */
  push(samples: Int16Array): Int16Array {
    const out = new Int16Array(Math.ceil(samples.length * 1.01) + 8);
    let made = 0;
    for (let from = 0; from < samples.length; from += SLICE)
      made += this.#run(samples.subarray(from, from + SLICE), out, made);
    return out.subarray(0, made);
  }

  /** Frees its memory; safe to call again. */
  free(): void {
    if (this.#state !== 0) this.#speex.module._speex_resampler_destroy(this.#state);
    this.#state = 0;
  }

  #run(samples: Int16Array, out: Int16Array, at: number): number {
    if (this.#state === 0) throw new BridgeError('CLOSED', 'The live resampler is closed.');
    const { module, input, output, lengths } = this.#speex;
    const heap = module.HEAPF32;
    for (let i = 0; i < samples.length; i++) heap[(input >> 2) + i] = samples[i]! / INT16_SCALE;
    module.HEAPU32[lengths >> 2] = samples.length;
    module.HEAPU32[(lengths >> 2) + 1] = 2 * SLICE;
    const failed = module._speex_resampler_process_float(this.#state, 0, input, lengths, output, lengths + 4);
    if (failed !== 0 || module.HEAPU32[lengths >> 2] !== samples.length)
      throw new BridgeError('INTERNAL', `The live resampler failed with code ${failed}.`);
    const made = module.HEAPU32[(lengths >> 2) + 1]!;
    quantise(module.HEAPF32.subarray(output >> 2, (output >> 2) + made), made, out, at);
    return made;
  }
}

/** Returns the fraction nearest to `1 + ppm / 1e6` that the library accepts. */
function ratioOfPpm(ppm: number): [numerator: number, denominator: number] {
  const size = Math.max(Math.abs(ppm), MIN_PPM);
  const difference = Math.max(1, Math.floor((size * MAX_TERM) / 1e6));
  const denominator = Math.min(MAX_TERM - (ppm < 0 ? 0 : difference), Math.round((difference * 1e6) / size));
  return [denominator + (ppm < 0 ? -difference : difference), denominator];
}

import { INT16_SCALE } from './downmix.js';

/**
 * Maximum magnitude of a float, in multiples of full scale (36 dB). Beyond it the data is not sound but other
 * data read as floats, and clamping it would give noise at full level.
 */
export const MAX_MAGNITUDE = 64;

/**
 * Converts floats to 16-bit samples: rounded to the nearest (halves away from zero, which adds no offset) and
 * clamped.
 * @param input floats, full scale at -1 to 1
 * @param count number of floats
 * @param out receives the samples
 * @param at index in `out` of the first one
 * @returns false when a value is not a number or is beyond MAX_MAGNITUDE; `out` must then not be used
 */
export function quantise(input: Float32Array, count: number, out: Int16Array, at: number): boolean {
  let sane = true;
  for (let i = 0; i < count; i++) {
    const value = input[i]! * INT16_SCALE;
    // The array's own conversion truncates towards zero, so half a step outward rounds.
    const rounded = value < 0 ? value - 0.5 : value + 0.5;
    if (rounded < 32_768 && rounded > -32_769) {
      out[at + i] = rounded;
    } else {
      // Written so that NaN fails too.
      if (!(Math.abs(value) <= MAX_MAGNITUDE * INT16_SCALE)) sane = false;
      out[at + i] = value > 0 ? 32_767 : -32_768;
    }
  }
  return sane;
}

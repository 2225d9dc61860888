import { INT16_SCALE } from './downmix.js';

/**
 * Beyond this many times full scale (36 dB) nothing is a recording any more: it is other data taken for floats, and
 * clamping it would be noise at full level.
 */
export const MAX_MAGNITUDE = 64;

/**
 * Floats to 16-bit samples: rounded to the nearest (halves away from zero, which adds no offset), clamped, never wrapped.
 * @param input floats, full scale at -1 to 1
 * @param count how many of them
 * @param out takes them
 * @param at where in `out` the first one goes
 * @returns false when one of them is not a number or is beyond MAX_MAGNITUDE; `out` is then not to be used
 */
export function quantise(input: Float32Array, count: number, out: Int16Array, at: number): boolean {
  let sane = true;
  for (let i = 0; i < count; i++) {
    const value = input[i]! * INT16_SCALE;
    // The array's own conversion cuts towards zero, so half a step outward rounds.
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

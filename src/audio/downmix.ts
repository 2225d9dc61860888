/** An Int16 sample of -32768 is -1 as a float. */
export const INT16_SCALE = 32_768;

const HALF_POWER = Math.SQRT1_2;

/**
 * What each channel gives to the one that is left, for the counts where a plain average would be wrong. In the order
 * of WAVE and FLAC (L R C LFE …), after ITU-R BS.775: the centre carries the voice, the LFE carries none.
 */
const SURROUND: Readonly<Record<number, readonly number[]>> = {
  6: [1, 1, 2 * HALF_POWER, 0, HALF_POWER, HALF_POWER],
  8: [1, 1, 2 * HALF_POWER, 0, HALF_POWER, HALF_POWER, HALF_POWER, HALF_POWER],
};

/**
 * The weights of a downmix to mono. They sum to 1, so that it never clips what did not clip before.
 * A plain average for every count but 5.1 and 7.1: without a channel map the rest (quad, ambisonic, a row of
 * microphones) has no layout that could be relied on.
 * @param channels 1 or more
 */
export function downmixWeights(channels: number): Float64Array {
  const weights = Float64Array.from(SURROUND[channels] ?? new Array<number>(channels).fill(1));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * Interleaved samples to mono floats.
 * @param samples interleaved; whole frames
 * @param channels interleaved channels
 * @param weights of `downmixWeights(channels)`
 * @param from the first frame to take, counted in frames
 * @param frames how many frames to take
 * @param out takes `frames` floats, nominally -1 to 1, from its start
 */
export function downmix(
  samples: Float32Array | Int16Array,
  channels: number,
  weights: Float64Array,
  from: number,
  frames: number,
  out: Float32Array,
): void {
  // One loop a type of array: a loop that sees both runs several times slower.
  if (samples instanceof Int16Array) downmixInt16(samples, channels, weights, from, frames, out);
  else downmixFloat(samples, channels, weights, from, frames, out);
}

function downmixInt16(
  samples: Int16Array,
  channels: number,
  weights: Float64Array,
  from: number,
  frames: number,
  out: Float32Array,
): void {
  let at = from * channels;
  if (channels === 1) {
    for (let i = 0; i < frames; i++) out[i] = samples[at + i]! * (1 / INT16_SCALE);
  } else if (channels === 2) {
    for (let i = 0; i < frames; i++, at += 2)
      out[i] = (samples[at]! + samples[at + 1]!) * (0.5 / INT16_SCALE);
  } else {
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) sum += samples[at++]! * weights[channel]!;
      out[i] = sum * (1 / INT16_SCALE);
    }
  }
}

function downmixFloat(
  samples: Float32Array,
  channels: number,
  weights: Float64Array,
  from: number,
  frames: number,
  out: Float32Array,
): void {
  let at = from * channels;
  if (channels === 1) {
    out.set(samples.subarray(at, at + frames));
  } else if (channels === 2) {
    for (let i = 0; i < frames; i++, at += 2) out[i] = (samples[at]! + samples[at + 1]!) * 0.5;
  } else {
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) sum += samples[at++]! * weights[channel]!;
      out[i] = sum;
    }
  }
}

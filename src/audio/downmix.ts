/** Scale of Int16 samples: -32768 is -1 as a float. */
export const INT16_SCALE = 32_768;

/** Bit of the LFE channel in a channel mask: effects below 120 Hz, without voice. */
const LFE = 0x8;
const SURROUND = 0.5;

/**
 * Weights of the speakers in a downmix to one channel after ITU-R BS.775-4, in the order of the channel mask:
 * front left, front right, centre, LFE, back left, back right, left of centre, right of centre, back centre,
 * side left, side right. Overhead speakers count as surround. None is below -6 dB, because the voice can be
 * in any of them.
 */
const SPEAKERS = [
  Math.SQRT1_2,
  Math.SQRT1_2,
  1,
  0,
  SURROUND,
  SURROUND,
  Math.SQRT1_2,
  Math.SQRT1_2,
  Math.SQRT1_2,
  SURROUND,
  SURROUND,
];

/**
 * Returns the weights of a downmix to mono. The weights of one and of two channels sum to 1, so that two
 * equal channels stay unchanged. Sums of more channels can exceed full scale, which {@link PeakLimiter}
 * prevents.
 * @param channels 1 or more
 * @param channelMask the speakers, see `PcmBlock`. Without a mask no channel counts as LFE, since it might
 * hold a voice
 */
export function downmixWeights(channels: number, channelMask = 0): Float64Array {
  if (channels === 1) return Float64Array.of(1);
  const bits = Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (channelMask >>> bit) & 1);
  const weights = Float64Array.from({ length: channels }, (_, channel) => {
    const bit = bits[channel];
    return bit === undefined ? SURROUND : (SPEAKERS[bit] ?? SURROUND);
  });
  const heard = weights.filter((weight) => weight > 0).length;
  if (heard === 0) return weights.fill(1 / channels);
  return channels === 2 && heard === 2 ? weights.fill(0.5) : weights;
}

/**
 * Speaker masks of FLAC by channel count (RFC 9639 §9.1.3); Vorbis and Opus use the same speakers in another
 * order.
 */
export const USUAL_MASKS: readonly number[] = [
  0,
  0x4,
  0x3,
  0x7,
  0x33,
  0x37,
  0x37 | LFE,
  0x707 | LFE,
  0x637 | LFE,
];

/** Release of the limiter per sample: a second at 48 kHz recovers two thirds. */
const RELEASE = 1 / 48_000;

/** Reduces a sum of channels at once where it would exceed full scale, and restores it slowly. */
export class PeakLimiter {
  #gain = 1;

  /** @param samples changed in place; invalid values (not a number, far beyond full scale) stay unchanged */
  limit(samples: Float32Array, count: number, maxMagnitude: number): void {
    let gain = this.#gain;
    for (let i = 0; i < count; i++) {
      const magnitude = Math.abs(samples[i]!);
      if (!(magnitude <= maxMagnitude)) continue;
      if (magnitude * gain > 1) gain = 1 / magnitude;
      samples[i]! *= gain;
      gain += (1 - gain) * RELEASE;
    }
    this.#gain = gain;
  }
}

/**
 * Mixes interleaved samples down to mono floats.
 * @param samples interleaved; whole frames
 * @param channels interleaved channels
 * @param weights of `downmixWeights(channels)`
 * @param from the first frame to take, counted in frames
 * @param frames number of frames to take
 * @param out receives `frames` floats, nominally -1 to 1, from its start
 */
export function downmix(
  samples: Float32Array | Int16Array,
  channels: number,
  weights: Float64Array,
  from: number,
  frames: number,
  out: Float32Array,
): void {
  // One loop per array type: a loop that sees both types runs several times slower.
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
  } else if (channels === 2 && weights[0] === weights[1]) {
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
  } else if (channels === 2 && weights[0] === weights[1]) {
    for (let i = 0; i < frames; i++, at += 2) out[i] = (samples[at]! + samples[at + 1]!) * 0.5;
  } else {
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) sum += samples[at++]! * weights[channel]!;
      out[i] = sum;
    }
  }
}

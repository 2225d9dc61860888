/** An Int16 sample of -32768 is -1 as a float. */
export const INT16_SCALE = 32_768;

/** The channel for effects below 120 Hz, which carries no voice, as a bit of a channel mask. */
const LFE = 0x8;
const SURROUND = 0.5;

/**
 * What each speaker gives to one channel after ITU-R BS.775-4, by its place in a channel mask: front left, front right,
 * centre, LFE, back left, back right, left of centre, right of centre, back centre, side left, side right. The speakers
 * above count as surround. None is below -6 dB, for the voice can be in any one of them.
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
 * The weights of a downmix to mono. Those of one and of two channels sum to 1, so that two equal ones come out as they
 * were; more of them can exceed full scale together, which {@link PeakLimiter} prevents.
 * @param channels 1 or more
 * @param channelMask the speakers, see `PcmBlock`. Where nobody says, no channel is taken for an LFE: a voice might be
 * in it
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

/** The speakers of FLAC's channels by their count (RFC 9639 §9.1.3), which are those of Vorbis and Opus in another order. */
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

/** How fast a limiter lets go, in samples: a second of 48 kHz brings it two thirds of the way back. */
const RELEASE = 1 / 48_000;

/** Turns a sum of channels down where it would exceed full scale, at once, and slowly up again. */
export class PeakLimiter {
  #gain = 1;

  /** @param samples changed in place; what no sound can be (not a number, far beyond full scale) stays as it is */
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

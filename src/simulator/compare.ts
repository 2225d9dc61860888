import { BLOCK_SAMPLES } from './segments.js';

/** Difference between a sound and what was heard of it. */
export interface HeardComparison {
  readonly samplesExpected: number;
  readonly samplesHeard: number;
  /** True when every sample was heard, followed by nothing but the padding of the last block. */
  readonly exact: boolean;
  /** Index of the first different or missing sample; absent when all are correct. */
  readonly firstMismatchAt?: number;
  /** Samples missing at the end of the sound. */
  readonly lostSamples: number;
  /** Samples of silence after the sound, beyond the padding of the last block. */
  readonly extraSilence: number;
  /** True when the sound is followed by anything but silence. */
  readonly extraSound: boolean;
}

/**
 * Compares the expected sound with the heard one. Silence that fills the last block of 256 samples is
 * ignored, because segments are padded (protocol.md §4).
 * @param expected one sound, 16 kHz mono, without padding
 * @param heard samples from `SimulatedAvatar.heard()` without options
 */
export function compareHeard(expected: Int16Array, heard: Int16Array): HeardComparison {
  const shared = Math.min(expected.length, heard.length);
  let mismatch = 0;
  while (mismatch < shared && expected[mismatch] === heard[mismatch]) mismatch++;
  const paddedLength = Math.ceil(expected.length / BLOCK_SAMPLES) * BLOCK_SAMPLES;
  const rest = heard.subarray(expected.length);
  const extraSilence = Math.max(0, heard.length - paddedLength);
  const extraSound = rest.some((sample) => sample !== 0);
  return {
    samplesExpected: expected.length,
    samplesHeard: heard.length,
    exact: mismatch === expected.length && extraSilence === 0 && !extraSound,
    ...(mismatch < expected.length ? { firstMismatchAt: mismatch } : {}),
    lostSamples: Math.max(0, expected.length - heard.length),
    extraSilence,
    extraSound,
  };
}

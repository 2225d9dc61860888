import { BLOCK_SAMPLES } from './segments.js';

/** What became of a sound on its way to the ear. */
export interface HeardComparison {
  readonly samplesExpected: number;
  readonly samplesHeard: number;
  /** True when all of it was heard, sample by sample, and nothing but the padding of a whole block after it. */
  readonly exact: boolean;
  /** The first sample that is another one, or is missing; absent when all are there. */
  readonly firstMismatchAt?: number;
  /** Samples of the sound that are missing at its end. */
  readonly lostSamples: number;
  /** Samples of silence after the sound, beyond the padding of a whole block. */
  readonly extraSilence: number;
  /** True when what comes after the sound is not silence. */
  readonly extraSound: boolean;
}

/**
 * Compares what should have been heard with what was. Silence that fills the last block of 256 samples counts as
 * nothing: a segment is padded so (protocol.md §4).
 * @param expected one sound, 16 kHz mono, without its padding
 * @param heard bare samples, as `SimulatedAvatar.heard()` gives them
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

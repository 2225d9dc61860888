/** Sample rate of the avatar: 16 kHz (protocol.md §4). */
export const SAMPLE_RATE_HZ = 16_000;

/** Samples per millisecond in the avatar's format. */
export const SAMPLES_PER_MS = SAMPLE_RATE_HZ / 1000;

/**
 * Converts milliseconds to samples at 16 kHz, rounded to the nearest sample.
 * @param ms milliseconds
 */
export function msToSamples(ms: number): number {
  return Math.round(ms * SAMPLES_PER_MS);
}

/**
 * Converts samples at 16 kHz to milliseconds.
 * @param samples samples at 16 kHz, mono
 * @returns milliseconds, not rounded
 */
export function samplesToMs(samples: number): number {
  return samples / SAMPLES_PER_MS;
}

/**
 * Converts a level in decibels to a linear factor.
 * @param gainDb decibels; 0 is unchanged, -6 about half
 */
export function dbToFactor(gainDb: number): number {
  return gainDb === 0 ? 1 : 10 ** (gainDb / 20);
}

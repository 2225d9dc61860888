/** The avatar's one sample rate: 16 kHz (protocol.md §4). */
export const SAMPLE_RATE_HZ = 16_000;

/** Samples of the avatar's format in a millisecond. */
export const SAMPLES_PER_MS = SAMPLE_RATE_HZ / 1000;

/**
 * Samples at 16 kHz for a span of time, rounded to the nearest whole sample.
 * @param ms milliseconds
 */
export function msToSamples(ms: number): number {
  return Math.round(ms * SAMPLES_PER_MS);
}

/**
 * The span of time that a count of 16 kHz samples lasts.
 * @param samples samples at 16 kHz, mono
 * @returns milliseconds, not rounded
 */
export function samplesToMs(samples: number): number {
  return samples / SAMPLES_PER_MS;
}

/**
 * The linear factor of a level in decibels.
 * @param gainDb decibels; 0 is unchanged, -6 about half
 */
export function dbToFactor(gainDb: number): number {
  return gainDb === 0 ? 1 : 10 ** (gainDb / 20);
}

import type { SoundContext } from '../pcm.js';

/**
 * Maximum plausible peak. Clipped music overshoots to about 1.5; damaged data decodes to values of tens and
 * hundreds, which would be noise at full scale.
 */
const MAX_PEAK = 4;

/** Length of the silenced piece around an impossible value, in frames (samples of every channel). */
const PIECE_FRAMES = 256;

/** Silences the output of damaged data and counts it. */
export class DamageGuard {
  #mutedMs = 0;

  /**
   * Overwrites impossible samples (above MAX_PEAK, not a number) with silence.
   * @param samples interleaved; changed in place
   */
  check(samples: Float32Array | Int16Array, channels: number, sampleRateHz: number): void {
    if (samples instanceof Int16Array) return;
    const piece = PIECE_FRAMES * channels;
    for (let start = 0; start < samples.length; start += piece) {
      const end = Math.min(start + piece, samples.length);
      let fine = true;
      // The comparison is false for NaN too.
      for (let i = start; i < end && fine; i++) fine = Math.abs(samples[i]!) <= MAX_PEAK;
      if (fine) continue;
      samples.fill(0, start, end);
      this.#mutedMs += ((end - start) / channels / sampleRateHz) * 1000;
    }
  }

  /** Warns when something was silenced. */
  report(label: string, context: Pick<SoundContext, 'warn'>): void {
    if (this.#mutedMs === 0) return;
    context.warn(
      `${label} is damaged: ${Math.ceil(this.#mutedMs)} ms of it were noise and are silent instead.`,
    );
  }
}

import { INT16_SCALE } from '../audio/downmix.js';
import type { PcmBlock, Sound } from '../audio/pcm.js';
import { dbToFactor, msToSamples, SAMPLE_RATE_HZ, samplesToMs } from '../base/units.js';

/** Fade at both ends, against a click. */
const FADE_MS = 10;
const BLOCK_MS = 100;

/**
 * A test tone in the avatar's own format.
 * @param frequencyHz 1 to 8,000
 * @param durationMs its whole length
 * @param levelDb its peak, below full scale
 */
export function toneSound(frequencyHz: number, durationMs: number, levelDb = -12): Sound {
  const total = msToSamples(durationMs);
  const fade = Math.min(msToSamples(FADE_MS), total / 2);
  const peak = dbToFactor(levelDb) * (INT16_SCALE - 1);
  const block = (from: number, count: number): PcmBlock => ({
    samples: Int16Array.from({ length: count }, (_, i) => {
      const at = from + i;
      const envelope = Math.min(1, at / fade, (total - 1 - at) / fade);
      return Math.round(peak * envelope * Math.sin((2 * Math.PI * frequencyHz * at) / SAMPLE_RATE_HZ));
    }),
    sampleRateHz: SAMPLE_RATE_HZ,
    channels: 1,
  });
  return {
    label: `tone of ${frequencyHz} Hz`,
    live: false,
    async *open(context): AsyncGenerator<PcmBlock, void, undefined> {
      context.info({
        format: 'tone',
        sampleRateHz: SAMPLE_RATE_HZ,
        channels: 1,
        durationMs: samplesToMs(total),
      });
      const step = msToSamples(BLOCK_MS);
      for (let from = 0; from < total; from += step) {
        context.signal.throwIfAborted();
        yield block(from, Math.min(step, total - from));
      }
    },
  };
}

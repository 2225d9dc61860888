import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PEAK_SAMPLES, PeakMeter } from '../../src/audio/peaks.js';
import { cut, noise } from '../support/signals.js';

function outline(
  pieces: readonly Int16Array[],
  stretchPeaks: number,
): { fromMs: number; peaks: readonly number[] }[] {
  const meter = new PeakMeter(stretchPeaks);
  let at = 0;
  const stretches = pieces.map((piece) => {
    const stretch = meter.push(at, piece);
    at += piece.length;
    return stretch;
  });
  return [...stretches, meter.flush()].filter((stretch) => stretch !== undefined);
}

describe('the peaks of a sound', () => {
  it('are the loudest samples of each 20 ms, whatever the frames and their sign', () => {
    const samples = noise(5000, 30_000);
    const expected = Array.from({ length: Math.ceil(samples.length / PEAK_SAMPLES) }, (_, i) => {
      const step = samples.subarray(i * PEAK_SAMPLES, (i + 1) * PEAK_SAMPLES);
      return Math.min(255, Math.round((Math.max(...step.map(Math.abs)) * 255) / 32_767));
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 900 }), fc.integer(), (longest, seed) => {
        const stretches = outline(cut(samples, longest, seed), 4);
        expect(stretches.flatMap(({ peaks }) => peaks)).toEqual(expected);
        let fromMs = 0;
        for (const stretch of stretches) {
          expect(stretch.fromMs).toBe(fromMs);
          fromMs += stretch.peaks.length * 20;
        }
      }),
      { numRuns: 30 },
    );
  });

  it('reach full scale for the lowest sample too', () => {
    const meter = new PeakMeter(1);
    expect(meter.push(0, new Int16Array(PEAK_SAMPLES).fill(-32_768))?.peaks).toEqual([255]);
  });

  it('begin anew where the sound goes back', () => {
    const meter = new PeakMeter(1);
    expect(meter.push(0, new Int16Array(PEAK_SAMPLES * 5))?.fromMs).toBe(0);
    const again = meter.push(PEAK_SAMPLES * 2, new Int16Array(PEAK_SAMPLES).fill(16_384));
    expect(again).toEqual({ fromMs: 40, stepMs: 20, peaks: [128] });
    expect(meter.flush()).toBeUndefined();
  });
});

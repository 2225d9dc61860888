import { describe, expect, it } from 'vitest';
import { LevelMeter } from '../../src/audio/level.js';
import { sine } from '../support/signals.js';

describe('LevelMeter', () => {
  it('reads a full-scale sine as 0 dB peak and -3 dB RMS', () => {
    const meter = new LevelMeter();
    meter.push(sine(16_000, 1_001, 32_700));
    const { peakDbfs, rmsDbfs } = meter.read();
    expect(peakDbfs).toBeCloseTo(0, 1);
    expect(rmsDbfs).toBeCloseTo(-3.03, 1);
  });

  it('reads half the amplitude 6 dB lower, over any chunking', () => {
    const meter = new LevelMeter();
    const samples = sine(16_000, 440, 16_384);
    meter.push(samples.subarray(0, 77));
    meter.push(samples.subarray(77));
    const { peakDbfs, rmsDbfs } = meter.read();
    expect(peakDbfs).toBeCloseTo(-6.02, 1);
    expect(rmsDbfs).toBeCloseTo(-9.03, 1);
  });

  it('reads silence, and nothing at all, as -96 dB', () => {
    const meter = new LevelMeter();
    expect(meter.read()).toEqual({ peakDbfs: -96, rmsDbfs: -96, clippedSamples: 0 });
    meter.push(new Int16Array(100));
    expect(meter.read()).toEqual({ peakDbfs: -96, rmsDbfs: -96, clippedSamples: 0 });
  });

  it('counts samples at either end of the scale, and begins anew at each reading', () => {
    const meter = new LevelMeter();
    meter.push(Int16Array.of(32_767, -32_768, 32_766, 0));
    expect(meter.read()).toMatchObject({ clippedSamples: 2, peakDbfs: 0 });
    meter.push(Int16Array.of(10, -10));
    expect(meter.read()).toMatchObject({ clippedSamples: 0 });
  });
});

import { describe, expect, it } from 'vitest';
import { Gain } from '../../src/audio/gain.js';
import { noise, sine } from '../support/signals.js';

describe('Gain', () => {
  it('passes sound through untouched at 0 dB', () => {
    const samples = noise(100, 30_000);
    expect(new Gain().push(samples)).toBe(samples);
  });

  it('applies its first gain from the first sample on', () => {
    expect([...new Gain({ gainDb: -6.0206 }).push(Int16Array.of(1000, -1000, 0))]).toEqual([500, -500, 0]);
  });

  it('clamps what exceeds 16 bits, and counts it', () => {
    const gain = new Gain({ gainDb: 20 });
    expect([...gain.push(Int16Array.of(5000, -5000, 100))]).toEqual([32_767, -32_768, 1000]);
    expect(gain.clippedSamples).toBe(2);
  });

  it('changes by a ramp of the stated length, without a jump', () => {
    const gain = new Gain({ rampMs: 10 });
    gain.push(Int16Array.of(1));
    gain.setGainDb(-Infinity);
    const out = gain.push(new Int16Array(320).fill(10_000));
    for (let i = 1; i < out.length; i++) expect(out[i - 1]! - out[i]!).toBeLessThanOrEqual(63);
    expect(out[80]).toBeGreaterThan(4800);
    expect(out[80]).toBeLessThan(5200);
    expect(out[160]).toBe(0);
    expect(out[319]).toBe(0);
  });

  it('arrives at the new gain exactly, up and down, over any chunking', () => {
    const gain = new Gain({ gainDb: -6.0206, rampMs: 20 });
    const samples = sine(1600, 300, 8000);
    gain.setGainDb(0);
    gain.push(samples.subarray(0, 7));
    gain.push(samples.subarray(7, 800));
    const rest = samples.subarray(800);
    expect(gain.push(rest)).toBe(rest);
    gain.setGainDb(6.0206);
    gain.push(samples);
    expect(gain.push(Int16Array.of(1000))[0]).toBe(2000);
  });
});

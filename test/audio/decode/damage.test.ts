import { describe, expect, it } from 'vitest';
import { DamageGuard } from '../../../src/audio/decode/damage.js';
import { notingContext } from '../../support/sound-context.js';

describe('DamageGuard', () => {
  it('silences the piece around what no sound can be, counts it, and leaves the rest alone', () => {
    const guard = new DamageGuard();
    const context = notingContext();
    guard.report('x.mp3', context);
    expect(context.warnings).toEqual([]);
    const samples = new Float32Array(16_000).fill(1.4);
    samples[1000] = 300;
    samples[9000] = NaN;
    guard.check(samples, 1, 16_000);
    const silent = [...samples.keys()].filter((i) => samples[i] === 0);
    expect(silent).toHaveLength(2 * 256);
    expect(samples.every((value) => value === 0 || value === Math.fround(1.4))).toBe(true);
    expect([silent.includes(1000), silent.includes(9000)]).toEqual([true, true]);
    guard.report('x.mp3', context);
    expect(context.warnings).toEqual(['x.mp3 is damaged: 32 ms of it were noise and are silent instead.']);
  });

  it('counts time, not samples, whatever the channels', () => {
    const guard = new DamageGuard();
    const context = notingContext();
    guard.check(new Float32Array(2 * 48_000).fill(100), 2, 48_000);
    guard.report('x.mp3', context);
    expect(context.warnings[0]).toMatch(/^x\.mp3 is damaged: 100[01] ms of it/);
  });
});

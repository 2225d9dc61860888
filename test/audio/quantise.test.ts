import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_MAGNITUDE, quantise } from '../../src/audio/quantise.js';

const one = (value: number): { value: number; sane: boolean } => {
  const out = new Int16Array(1);
  const sane = quantise(Float32Array.of(value), 1, out, 0);
  return { value: out[0]!, sane };
};

describe('quantise', () => {
  it('rounds to the nearest step and clamps, whatever the value', () => {
    fc.assert(
      fc.property(fc.float({ min: -4, max: 4, noNaN: true }), (value) => {
        const clamped = Math.min(32_767, Math.max(-32_768, value * 32_768));
        expect(Math.abs(one(value).value - clamped)).toBeLessThanOrEqual(0.5);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    [0.5 / 32_768, 1],
    [-0.5 / 32_768, -1],
    [0.49 / 32_768, 0],
    [32_767.49 / 32_768, 32_767],
    [1, 32_767],
    [-1, -32_768],
    [-32_768.5 / 32_768, -32_768],
    [2, 32_767],
    [-2, -32_768],
    [MAX_MAGNITUDE, 32_767],
  ])('%d becomes %d', (value, expected) => {
    expect(one(value)).toEqual({ value: expected, sane: true });
  });

  it.each([NaN, Infinity, -Infinity, MAX_MAGNITUDE * 1.01, -1e30])('refuses %d', (value) => {
    expect(one(value).sane).toBe(false);
  });
});

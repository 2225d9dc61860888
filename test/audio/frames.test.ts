import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Framer } from '../../src/audio/frames.js';

const inputs = fc.array(fc.int16Array({ maxLength: 200 }), { maxLength: 30 });

describe('Framer', () => {
  it('loses, adds and reorders nothing, whatever the chunks', () => {
    fc.assert(
      fc.property(inputs, fc.integer({ min: 1, max: 64 }), (chunks, size) => {
        const framer = new Framer(size);
        const frames = chunks.flatMap((chunk) => framer.push(chunk));
        for (const frame of frames) expect(frame).toHaveLength(size);
        const rest = framer.flush();
        const out = [...frames, ...(rest ? [rest] : [])].flatMap((frame) => [...frame]);
        expect(out).toEqual(chunks.flatMap((chunk) => [...chunk]));
      }),
    );
  });

  it('hands out a frame as soon as its last sample is there', () => {
    const framer = new Framer(4);
    expect(framer.push(Int16Array.of(1, 2, 3))).toEqual([]);
    expect(framer.pending).toBe(3);
    expect(framer.push(Int16Array.of(4))).toEqual([Int16Array.of(1, 2, 3, 4)]);
    expect(framer.pending).toBe(0);
  });

  it('returns the last frame short, not padded, and only once', () => {
    const framer = new Framer(4);
    framer.push(Int16Array.of(1, 2, 3, 4, 5));
    expect(framer.flush()).toEqual(Int16Array.of(5));
    expect(framer.flush()).toBeUndefined();
  });

  it('has no rest when the last frame was whole', () => {
    const framer = new Framer(2);
    framer.push(Int16Array.of(1, 2));
    expect(framer.flush()).toBeUndefined();
  });

  it('does not copy what lies whole within an input', () => {
    const samples = new Int16Array(8);
    expect(new Framer(4).push(samples).every((frame) => frame.buffer === samples.buffer)).toBe(true);
  });

  it.each([0, -1, 1.5, NaN])('refuses frames of %d samples', (size) => {
    expect(() => new Framer(size)).toThrow(RangeError);
  });
});

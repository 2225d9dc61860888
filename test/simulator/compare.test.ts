import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareHeard } from '../../src/simulator/compare.js';
import { wavBytes } from '../../src/simulator/heard-wav.js';

const sound = Int16Array.from({ length: 1_000 }, (_, i) => i + 1);
const heard = (...parts: (Int16Array | number)[]): Int16Array =>
  Int16Array.from(
    parts.flatMap((part) => (typeof part === 'number' ? new Array<number>(part).fill(0) : [...part])),
  );

describe('compareHeard', () => {
  it('takes the padding of the last block for nothing', () => {
    expect(compareHeard(sound, heard(sound, 24))).toEqual({
      samplesExpected: 1_000,
      samplesHeard: 1_024,
      exact: true,
      lostSamples: 0,
      extraSilence: 0,
      extraSound: false,
    });
    expect(compareHeard(sound, sound).exact).toBe(true);
  });

  it('tells a lost end', () => {
    expect(compareHeard(sound, sound.subarray(0, 768))).toMatchObject({
      exact: false,
      firstMismatchAt: 768,
      lostSamples: 232,
    });
  });

  it('tells a wrong sample, also in the first place', () => {
    const wrong = sound.slice();
    wrong[0] = 7;
    expect(compareHeard(sound, wrong)).toMatchObject({ exact: false, firstMismatchAt: 0, lostSamples: 0 });
  });

  it('tells more than the padding, silent or not', () => {
    expect(compareHeard(sound, heard(sound, 24 + 256))).toMatchObject({ exact: false, extraSilence: 256 });
    expect(compareHeard(sound, heard(sound, sound.subarray(0, 24)))).toMatchObject({
      exact: false,
      extraSound: true,
    });
  });
});

describe('wavBytes', () => {
  it('holds the samples behind a head of 44 bytes, whatever their number', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -32_768, max: 32_767 }), { maxLength: 300 }),
        async (list) => {
          const samples = Int16Array.from(list);
          const file = await wavBytes(samples);
          expect(file.subarray(0, 4).toString()).toBe('RIFF');
          expect(file.readUInt32LE(4)).toBe(file.length - 8);
          expect(file.readUInt16LE(22)).toBe(1);
          expect(file.readUInt32LE(24)).toBe(16_000);
          expect(file.readUInt16LE(34)).toBe(16);
          expect(file.readUInt32LE(40)).toBe(samples.byteLength);
          expect(file.subarray(44)).toEqual(Buffer.from(samples.buffer));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('holds ten seconds, more than its writer takes at once', async () => {
    const samples = Int16Array.from({ length: 160_000 }, (_, i) => i % 1_000);
    const file = await wavBytes(samples);
    expect(file.subarray(44).equals(Buffer.from(samples.buffer))).toBe(true);
  });
});

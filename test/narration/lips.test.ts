import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PhonemeTiming } from '../../src/tts/engine.js';
import { lipPhoneme, lipSyncLines } from '../../src/narration/lips.js';
import { audioQueryPhonemes, audioQuerySchema, moraDurationPhonemes } from '../../src/tts/phonemes.js';

const FRAME_MS = 1000 / 93.75;

/** An AudioQuery as VOICEVOX's documentation shows it: `ええ、クァ。ですか？`. */
const mora = (
  consonant: string | null,
  length: number | null,
  vowel: string,
  vowelLength: number,
  pitch = 5,
) => ({
  text: 'x',
  consonant,
  consonant_length: length,
  vowel,
  vowel_length: vowelLength,
  pitch,
});
const query = audioQuerySchema.parse({
  accent_phrases: [
    {
      moras: [mora(null, null, 'e', 0.12)],
      accent: 1,
      pause_mora: mora(null, null, 'pau', 0.32, 0),
      is_interrogative: false,
    },
    {
      moras: [
        mora('kw', 0.064, 'a', 0.096),
        mora('d', 0.04, 'e', 0.08),
        mora('s', 0.09, 'U', 0.05, 0),
        mora('k', 0.05, 'a', 0.1),
      ],
      accent: 1,
      pause_mora: null,
      is_interrogative: true,
    },
  ],
  speedScale: 1,
  pitchScale: 0,
  intonationScale: 1,
  volumeScale: 1,
  prePhonemeLength: 0.1,
  postPhonemeLength: 0.1,
  outputSamplingRate: 24_000,
  outputStereo: false,
  kana: '',
});
const shown = (phonemes: readonly PhonemeTiming[]): string =>
  phonemes
    .map(
      ({ phoneme, durationMs, last }) => `${phoneme}:${Math.round(durationMs / FRAME_MS)}${last ? '|' : ''}`,
    )
    .join(' ');

describe('audioQueryPhonemes', () => {
  it('gives every phoneme in whole frames: pauses, devoiced vowels, the rise of a question', () => {
    // 0.1 s are 9.375 frames; 0.064 s are 6; 0.15 s are 14.06.
    expect(shown(audioQueryPhonemes(query))).toBe(
      'sil:9| e:11| pau:30| kw:6 a:9| d:4 e:8| s:8 U:5| k:5 a:9| a:14| sil:9|',
    );
  });

  it('leaves the rise out when it is turned off, or the last vowel is devoiced', () => {
    expect(shown(audioQueryPhonemes(query, { upspeak: false }))).toMatch(/a:9\| sil:9\|$/);
    const devoiced = structuredClone(query);
    devoiced.accent_phrases[1]!.moras.at(-1)!.pitch = 0;
    expect(shown(audioQueryPhonemes(devoiced))).toMatch(/k:5 a:9\| sil:9\|$/);
  });

  it('divides by the speed before it rounds, and sets pauses before that', () => {
    const fast = audioQueryPhonemes({ ...query, speedScale: 2, pauseLength: 0.64, pauseLengthScale: 0.5 });
    expect(shown(fast)).toBe('sil:5| e:6| pau:15| kw:3 a:4| d:2 e:4| s:4 U:2| k:2 a:5| a:7| sil:5|');
  });

  it('rounds to even at a half, as the engine does', () => {
    const half = (frames: number) => ({ ...query, prePhonemeLength: frames / 93.75 });
    expect(audioQueryPhonemes(half(2.5))[0]!.durationMs).toBeCloseTo(2 * FRAME_MS, 9);
    expect(audioQueryPhonemes(half(3.5))[0]!.durationMs).toBeCloseTo(4 * FRAME_MS, 9);
  });

  it('tells nothing when the engine fills in no lengths', () => {
    const empty = structuredClone(query);
    for (const phrase of empty.accent_phrases) {
      for (const each of phrase.moras) Object.assign(each, { vowel_length: 0, consonant_length: 0 });
    }
    expect(audioQueryPhonemes(empty)).toEqual([]);
  });
});

describe('moraDurationPhonemes', () => {
  it('turns ranges of samples into lengths, and gaps into silence', () => {
    const range = (start: number, end: number) => ({ start, end });
    const durations = [
      {
        mora: 'k-o',
        phonemePitches: [
          { phoneme: 'k', wavRange: range(4410, 6615) },
          { phoneme: 'o', wavRange: range(6615, 11025) },
        ],
      },
      { mora: 'N', phonemePitches: [{ phoneme: 'N', wavRange: range(11025, 13230) }] },
    ];
    expect(moraDurationPhonemes(durations, 44_100)).toEqual([
      { phoneme: 'pau', durationMs: 100, last: true },
      { phoneme: 'k', durationMs: 50, last: false },
      { phoneme: 'o', durationMs: 100, last: true },
      { phoneme: 'N', durationMs: 50, last: true },
    ]);
  });
});

describe('lipPhoneme', () => {
  it.each([
    ['a', 'a'],
    ['U', 'U'],
    ['N', 'N'],
    ['cl', 'cl'],
    ['pau', 'pau'],
    ['sil', 'sil'],
    ['ky', 'ky'],
    ['ng', 'ng'],
    ['kw', 'w'],
    ['gw', 'w'],
    ['AA1', 'aa'],
    ['HH', 'hh'],
    ['?', 'pau'],
    ['', 'sil'],
    ['ö', 'sil'],
    ['bw', 'b'],
  ])('%s becomes %s', (phoneme, known) => {
    expect(lipPhoneme(phoneme)).toBe(known);
  });
});

function read(line: string): { phonemes: string[]; ms: number[] } {
  const items = line.split('|')[2]!.split(',');
  return {
    phonemes: items.filter((_, i) => i % 2 === 0),
    ms: items.filter((_, i) => i % 2 === 1).map(Number),
  };
}

describe('lipSyncLines', () => {
  it('makes one line of a short utterance, ended with a shut mouth', () => {
    expect(
      lipSyncLines('mei', audioQueryPhonemes(query)).map(({ atMs, command }) => `${atMs} ${command}`),
    ).toEqual([
      '0 LIPSYNC_START|mei|sil,96,e,117,pau,320,w,64,a,96,d,43,e,85,s,86,U,53,k,53,a,96,a,150,sil,96,pau,100',
    ]);
    expect(lipSyncLines('mei', [])).toEqual([]);
  });

  it('chains lines at moras: each within the bounds, together exact to the millisecond', () => {
    const phoneme = fc.record({
      phoneme: fc.constantFrom('a', 'k', 'sh', 'pau', 'kw', 'N', 'unknown'),
      durationMs: fc.double({ min: 0, max: 900, noNaN: true }),
      last: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(phoneme, { maxLength: 900, size: 'max' }),
        fc.string({ minLength: 1, maxLength: 30 }),
        (phonemes, name) => {
          const alias = name.replace(/[|,\s]/g, '_');
          const lines = lipSyncLines(alias, phonemes);
          let exactMs = 0;
          let atMs = 0;
          const starts = new Set([0]);
          for (const { durationMs, last } of phonemes) {
            exactMs += durationMs;
            if (last) starts.add(Math.round(exactMs));
          }
          for (const { atMs: startMs, command } of lines) {
            expect(Buffer.byteLength(command)).toBeLessThan(2000);
            expect(startMs).toBe(atMs);
            const { phonemes: names, ms } = read(command.replace(alias, 'x'));
            expect([names.at(-1), ms.at(-1)]).toEqual(['pau', 100]);
            expect(ms.every((length) => Number.isInteger(length) && length > 0)).toBe(true);
            atMs += ms.slice(0, -1).reduce((sum, length) => sum + length, 0);
          }
          expect(atMs).toBe(Math.round(exactMs));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('cuts a long utterance where a mora ends, and starts anew often enough that the lips do not drift', () => {
    const phonemes = Array.from({ length: 200 }, (_, i) => ({
      phoneme: i % 2 ? 'o' : 'k',
      durationMs: 70.3,
      last: i % 2 === 1,
    }));
    const lines = lipSyncLines('mei', phonemes);
    expect(lines.length).toBeGreaterThanOrEqual(4);
    for (const { command } of lines) {
      const { phonemes: names, ms } = read(command);
      expect(names[0]).toBe('k');
      expect(names.at(-2)).toBe('o');
      expect(ms.slice(0, -1).reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(4000);
    }
  });
});

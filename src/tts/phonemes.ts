import { z } from 'zod';
import type { PhonemeTiming } from './engine.js';

const mora = z.looseObject({
  consonant: z.string().nullish(),
  consonant_length: z.number().nullish(),
  vowel: z.string(),
  vowel_length: z.number(),
  pitch: z.number().nullish(),
});

/**
 * Part of a VOICEVOX AudioQuery that this project reads or sets; everything else passes through unchanged.
 */
export const audioQuerySchema = z.looseObject({
  accent_phrases: z.array(
    z.looseObject({
      moras: z.array(mora),
      pause_mora: mora.nullish(),
      is_interrogative: z.boolean().nullish(),
    }),
  ),
  speedScale: z.number().positive(),
  pitchScale: z.number().default(0),
  volumeScale: z.number().default(1),
  prePhonemeLength: z.number().default(0.1),
  postPhonemeLength: z.number().default(0.1),
  pauseLength: z.number().nullish(),
  pauseLengthScale: z.number().nullish(),
});

/** A VOICEVOX-family AudioQuery: lengths in seconds, before `speedScale`. */
export type AudioQuery = z.output<typeof audioQuerySchema>;
type Mora = z.output<typeof mora>;

/**
 * Frame rate of the engine: it works in frames of 256 samples at 24 kHz and rounds every phoneme to whole
 * frames.
 */
const FRAMES_PER_SECOND = 93.75;
/** Length of the rising repetition of a question's last vowel, in seconds. */
const UPSPEAK_SECONDS = 0.15;

/** Behaviour of the engine besides the query. */
export interface AudioQueryTiming {
  /** `enable_interrogative_upspeak`; default true. */
  readonly upspeak?: boolean | undefined;
  /** False for engines of the family that do not round phonemes to VOICEVOX's frames. */
  readonly frames?: boolean | undefined;
}

/**
 * Returns the phonemes of a VOICEVOX-family utterance with their lengths as `/synthesis` speaks them: pauses
 * set and scaled, everything divided by the speed, each rounded to whole frames (half to even), so that
 * nothing drifts.
 * @returns an empty list when the engine reports no lengths (AivisSpeech sends zeros)
 */
export function audioQueryPhonemes(query: AudioQuery, timing: AudioQueryTiming = {}): PhonemeTiming[] {
  const { upspeak = true, frames = true } = timing;
  const phonemes: PhonemeTiming[] = [];
  let spokenSeconds = 0;
  const add = (phoneme: string, seconds: number, last: boolean): void => {
    const scaled = Math.max(0, seconds) / query.speedScale;
    const exact = frames ? roundHalfEven(scaled * FRAMES_PER_SECOND) / FRAMES_PER_SECOND : scaled;
    if (exact > 0) phonemes.push({ phoneme, durationMs: exact * 1000, last });
  };
  const addMora = ({ consonant, consonant_length, vowel, vowel_length }: Mora): void => {
    if (consonant) add(consonant, consonant_length ?? 0, false);
    add(vowel, vowel_length, true);
    spokenSeconds += (consonant_length ?? 0) + vowel_length;
  };
  add('sil', query.prePhonemeLength, true);
  for (const phrase of query.accent_phrases) {
    phrase.moras.forEach(addMora);
    const last = phrase.moras.at(-1);
    if (upspeak && phrase.is_interrogative && last && (last.pitch ?? 0) > 0)
      add(last.vowel, UPSPEAK_SECONDS, true);
    if (phrase.pause_mora) {
      const seconds = (query.pauseLength ?? phrase.pause_mora.vowel_length) * (query.pauseLengthScale ?? 1);
      add('pau', seconds, true);
    }
  }
  add('sil', query.postPhonemeLength, true);
  return spokenSeconds > 0 ? phonemes : [];
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const wavRange = z.looseObject({ start: z.number(), end: z.number() });

/**
 * COEIROINK's response to `/v1/predict_with_duration`: a WAV and the position of each phoneme in it, in
 * samples.
 */
export const wavWithDurationSchema = z.looseObject({
  wavBase64: z.string(),
  moraDurations: z.array(
    z.looseObject({
      mora: z.string().nullish(),
      phonemePitches: z.array(z.looseObject({ phoneme: z.string(), wavRange })),
      wavRange: wavRange.nullish(),
    }),
  ),
});

/** COEIROINK's mora durations. */
export type MoraDurations = z.output<typeof wavWithDurationSchema>['moraDurations'];

/**
 * Returns the phonemes of a COEIROINK utterance with their lengths; gaps between ranges are silence.
 * @param sampleRateHz rate of the WAV that came with them
 */
export function moraDurationPhonemes(durations: MoraDurations, sampleRateHz: number): PhonemeTiming[] {
  const phonemes: PhonemeTiming[] = [];
  let at = 0;
  const add = (phoneme: string, samples: number, last: boolean): void => {
    if (samples > 0) phonemes.push({ phoneme, durationMs: (samples / sampleRateHz) * 1000, last });
  };
  for (const { phonemePitches } of durations) {
    phonemePitches.forEach(({ phoneme, wavRange: { start, end } }, index) => {
      add('pau', start - at, true);
      add(phoneme, end - Math.max(start, at), index === phonemePitches.length - 1);
      at = Math.max(at, end);
    });
  }
  return phonemes;
}

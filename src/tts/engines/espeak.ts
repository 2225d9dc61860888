import { z } from 'zod';
import type { SynthesisPart, TtsEngine, Voice } from '../engine.js';
import { defineEngine } from '../engine-definition.js';
import { isJapanese, JapaneseEngines } from './japanese.js';
import { programSound, requireProgram } from '../program-sound.js';

const INSTALL =
  "Install it: 'apt install espeak-ng', 'brew install espeak-ng' or 'winget install eSpeak-NG.eSpeak-NG'.";
/** Default speed in words a minute, pitch (0 to 99) and amplitude (0 to 200). */
const USUAL = { wordsPerMinute: 175, pitch: 50, amplitude: 100 };
const PITCH_PER_SEMITONE = 4;

const optionsSchema = z.strictObject({
  program: z.string().min(1).default('espeak-ng').describe('The program, by name or path.'),
  idleMs: z.number().int().min(100).default(15_000).describe('How long it may be silent.'),
});

/** espeak-ng, if installed: over a hundred languages, offline. */
export const espeak = defineEngine({
  name: 'espeak',
  summary: 'espeak-ng, over 100 languages, a program on this machine',
  options: optionsSchema,
  create({ program, idleMs }, host): TtsEngine {
    const { clock } = host;
    const japanese = new JapaneseEngines(host);
    const refuseJapanese = async (text: string, voice: string): Promise<void> => {
      // espeak-ng reads each kanji as `Chinese letter`.
      if (isJapanese(text) && /\p{Script=Han}/u.test(text) && !/^(?:cmn|zh|yue|hak)/i.test(voice))
        throw await japanese.refusal('espeak', text);
    };
    const run = (args: string[], signal: AbortSignal, stdin?: string): AsyncIterable<Uint8Array> =>
      programSound({ engine: 'espeak', program, args, stdin, idleMs, clock, signal, install: INSTALL });
    return {
      name: 'espeak',
      capabilities: { streams: true, parallel: 2, timing: 'none', volume: true },
      check: (text, speech) => refuseJapanese(text, speech.voice ?? speech.language ?? 'en'),
      async *synthesise(text, speech, { signal }): AsyncGenerator<SynthesisPart, void, undefined> {
        await refuseJapanese(text, speech.voice ?? speech.language ?? 'en');
        const { rate = 1, pitchSemitones = 0, volume = 1 } = speech;
        const args = [
          ...['--stdin', '--stdout', '-b', '1'],
          ...['-v', voiceArgument(speech.voice ?? speech.language ?? 'en')],
          ...['-s', String(Math.round(clamp(USUAL.wordsPerMinute * rate, 80, 900)))],
          ...['-p', String(Math.round(clamp(USUAL.pitch + PITCH_PER_SEMITONE * pitchSemitones, 0, 99)))],
          ...['-a', String(Math.round(clamp(USUAL.amplitude * volume, 0, 200)))],
        ];
        // The text goes to standard input, so that one beginning with a dash is not read as an option.
        for await (const bytes of run(args, signal, text)) yield { kind: 'audio', bytes };
      },
      async voices(signal): Promise<Voice[]> {
        await requireProgram('espeak', program, INSTALL);
        const parts: Uint8Array[] = [];
        for await (const bytes of run(['--voices'], signal)) parts.push(bytes);
        return parseVoices(Buffer.concat(parts).toString('utf8'));
      },
      close: async () => undefined,
    };
  },
});

/**
 * Parses the table of `espeak-ng --voices`: priority, language, age and gender, name, file, other languages.
 * @returns one voice per line, with its language as the id
 */
export function parseVoices(table: string): Voice[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.length >= 5)
    .map(([, language = '', , name = '']) => ({ id: language, name: name.replaceAll('_', ' '), language }));
}

/** Checks that a voice does not look like an option. */
function voiceArgument(voice: string): string {
  return voice.replace(/^-+/, '').toLowerCase();
}

function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, value));
}

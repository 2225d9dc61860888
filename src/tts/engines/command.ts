import { z } from 'zod';
import { parseRawFormat } from '../../audio/decode/raw.js';
import { BridgeError } from '../../base/errors.js';
import { splitCommand } from '../command-line.js';
import type { SpeechOptions, SynthesisPart, TtsEngine } from '../engine.js';
import { defineEngine } from '../engine-definition.js';
import { programSound } from '../program-sound.js';

const PLACEHOLDER = /\{(\w+)\}/g;
const PLACEHOLDERS = ['text', 'voice', 'language', 'rate', 'pitch', 'volume'] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

const optionsSchema = z.strictObject({
  command: z
    .string()
    .min(1)
    .describe(
      'The command line. {text}, {voice}, {language}, {rate}, {pitch}, {volume} are filled in; without {text} the text goes to standard input.',
    ),
  raw: z
    .string()
    .optional()
    .describe('The format when it writes sound without a head, such as s16le:22050:1.'),
  idleMs: z.number().int().min(100).default(30_000).describe('How long it may be silent.'),
  parallel: z.number().int().min(1).max(8).default(1).describe('How many may run side by side.'),
});

/** Any program that writes a sound to its standard output. No shell is involved. */
export const command = defineEngine({
  name: 'command',
  summary: 'any program on this machine that writes a sound to its standard output',
  options: optionsSchema,
  create(options, { clock }): TtsEngine {
    const [program = '', ...template] = splitCommand(options.command);
    checkPlaceholders(program, template);
    const raw = options.raw === undefined ? undefined : parseRawFormat(options.raw);
    const wantsStdin = !template.some((word) => word.includes('{text}'));
    return {
      name: 'command',
      capabilities: {
        streams: true,
        parallel: options.parallel,
        timing: 'none',
        volume: has(template, 'volume'),
        lacks: [
          ...(has(template, 'rate') ? [] : (['rate'] as const)),
          ...(has(template, 'pitch') ? [] : (['pitchSemitones'] as const)),
        ],
      },
      async *synthesise(text, speech, { signal }): AsyncGenerator<SynthesisPart, void, undefined> {
        const args = template.map((word) => fill(word, text, speech));
        if (raw) yield { kind: 'format', raw };
        const sound = programSound({
          ...{ engine: 'command', program, args, idleMs: options.idleMs, clock, signal },
          ...(wantsStdin ? { stdin: `${text}\n` } : {}),
        });
        for await (const bytes of sound) yield { kind: 'audio', bytes };
      },
      voices: async () => [],
      close: async () => undefined,
    };
  },
});

function has(template: readonly string[], name: Placeholder): boolean {
  return template.some((word) => word.includes(`{${name}}`));
}

function checkPlaceholders(program: string, template: readonly string[]): void {
  const names = [program, ...template].flatMap((word) =>
    [...word.matchAll(PLACEHOLDER)].map((match) => match[1]!),
  );
  const unknown = names.find((name) => !(PLACEHOLDERS as readonly string[]).includes(name));
  if (unknown !== undefined) {
    const known = PLACEHOLDERS.map((name) => `{${name}}`).join(', ');
    throw new BridgeError('OPTION_INVALID', `The command has {${unknown}}, which is none of ${known}.`);
  }
  if (program.includes('{'))
    throw new BridgeError('OPTION_INVALID', 'The command must begin with a fixed program.');
}

function fill(word: string, text: string, speech: SpeechOptions): string {
  const values: Record<Placeholder, string | undefined> = {
    text: asArgument(word, text),
    voice: speech.voice,
    language: speech.language,
    rate: String(speech.rate ?? 1),
    pitch: String(speech.pitchSemitones ?? 0),
    volume: String(speech.volume ?? 1),
  };
  return word.replace(PLACEHOLDER, (_, name: Placeholder) => {
    const value = values[name];
    if (value !== undefined) return value;
    throw new BridgeError('OPTION_INVALID', `The command has {${name}}, but no ${name} is set.`);
  });
}

/** A text that would start with a dash would be read as an option by most programs; a space before it is not heard. */
function asArgument(word: string, text: string): string {
  const clean = text.replaceAll('\0', '');
  return word.startsWith('{text}') && clean.trimStart().startsWith('-') ? ` ${clean.trimStart()}` : clean;
}

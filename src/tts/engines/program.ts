import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import type { VoiceOptions, SynthesisPart, TtsEngine } from '../engine.js';
import { defineEngine, rawFormatOption } from '../engine-definition.js';
import { programSound } from '../program-sound.js';

const PLACEHOLDER = /\{(\w+)\}/g;
const PLACEHOLDERS = ['text', 'voice', 'language', 'rate', 'pitchSemitones', 'volume'] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

const optionsSchema = z.strictObject({
  program: z
    .string()
    .min(1)
    .describe(
      'The program with its arguments. {text}, {voice}, {language}, {rate}, {pitchSemitones}, {volume} are filled in; without {text} the text goes to standard input.',
    ),
  format: rawFormatOption(
    'Format of its sound when it writes samples without a head, such as s16le:22050:1.',
  ),
  idleMs: z.number().int().min(100).default(30_000).describe('How long it may be silent.'),
  parallel: z.number().int().min(1).max(8).default(1).describe('How many may run side by side.'),
});

/** Any program that writes a sound to its standard output. No shell is involved. */
export const program = defineEngine({
  name: 'program',
  summary: 'any program on this machine that writes a sound to its standard output',
  options: optionsSchema,
  create(options, { clock }): TtsEngine {
    const [executable = '', ...template] = splitCommand(options.program);
    checkPlaceholders(executable, template);
    const wantsStdin = !template.some((word) => word.includes('{text}'));
    return {
      name: 'program',
      capabilities: {
        streams: true,
        parallel: options.parallel,
        timing: 'none',
        volume: has(template, 'volume'),
        lacks: [
          ...(has(template, 'rate') ? [] : (['rate'] as const)),
          ...(has(template, 'pitchSemitones') ? [] : (['pitchSemitones'] as const)),
        ],
      },
      async *synthesise(text, speech, { signal }): AsyncGenerator<SynthesisPart, void, undefined> {
        const args = template.map((word) => fill(word, text, speech));
        if (options.format) yield { kind: 'format', format: options.format };
        const sound = programSound({
          ...{ engine: 'program', program: executable, args, idleMs: options.idleMs, clock, signal },
          stdin: wantsStdin ? `${text}\n` : undefined,
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

function checkPlaceholders(executable: string, template: readonly string[]): void {
  const names = [executable, ...template].flatMap((word) =>
    [...word.matchAll(PLACEHOLDER)].map((match) => match[1]!),
  );
  const unknown = names.find((name) => !(PLACEHOLDERS as readonly string[]).includes(name));
  if (unknown !== undefined) {
    const known = PLACEHOLDERS.map((name) => `{${name}}`).join(', ');
    throw new BridgeError(
      'OPTION_INVALID',
      `The program's arguments have {${unknown}}, which is none of ${known}.`,
    );
  }
  if (executable.includes('{'))
    throw new BridgeError('OPTION_INVALID', 'The program must begin with a fixed name.');
}

function fill(word: string, text: string, speech: VoiceOptions): string {
  const values: Record<Placeholder, string | undefined> = {
    text: asArgument(word, text),
    voice: speech.voice,
    language: speech.language,
    rate: String(speech.rate ?? 1),
    pitchSemitones: String(speech.pitchSemitones ?? 0),
    volume: String(speech.volume ?? 1),
  };
  return word.replace(PLACEHOLDER, (_, name: Placeholder) => {
    const value = values[name];
    if (value !== undefined) return value;
    throw new BridgeError('OPTION_INVALID', `The program's arguments have {${name}}, but no ${name} is set.`);
  });
}

/**
 * Adds a space before a text that starts with a dash: most programs would read it as an option, and the space
 * is not heard.
 */
function asArgument(word: string, text: string): string {
  const clean = text.replaceAll('\0', '');
  return word.startsWith('{text}') && clean.trimStart().startsWith('-') ? ` ${clean.trimStart()}` : clean;
}

/**
 * Splits a command line into words like a shell, but handles only words and quotes. A backslash escapes only
 * a quote, a space or itself, so Windows paths can be written unchanged.
 * @throws BridgeError OPTION_INVALID for an unclosed quote or a line without a word
 */
export function splitCommand(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    const next = line.charAt(at + 1);
    if (
      character === '\\' &&
      quote !== "'" &&
      (next === '"' || next === '\\' || (!quote && /['\s]/.test(next)))
    ) {
      word = (word ?? '') + next;
      at++;
    } else if (character === quote) {
      quote = undefined;
    } else if (!quote && (character === '"' || character === "'")) {
      quote = character;
      word ??= '';
    } else if (!quote && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote)
    throw new BridgeError(
      'OPTION_INVALID',
      `The program has a quote (${quote}) that does not close: ${line}`,
    );
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new BridgeError('OPTION_INVALID', 'The program is empty.');
  return words;
}

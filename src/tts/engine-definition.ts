import { z } from 'zod';
import { parseRawFormat, type RawFormat } from '../audio/decode/raw.js';
import { defined } from '../base/defined.js';
import { BridgeError } from '../base/errors.js';
import type { EngineHost, TtsEngine, Voice } from './engine.js';
import { HttpClient } from './http-client.js';
import type { HttpLimits } from './http-reply.js';

/** A row of the table of engines. */
export interface EngineDefinition {
  readonly name: string;
  /** Short description. */
  readonly summary: string;
  /** Options of the engine, from which help and validation are generated. */
  readonly options: z.ZodObject;
  /**
   * Creates the engine.
   * @throws BridgeError OPTION_INVALID that names the option, ENGINE_KEY_MISSING
   */
  create(options: unknown, host: EngineHost): TtsEngine;
}

/**
 * Makes a row of the table. Options are validated before `create` receives them; an unknown one is an error.
 */
export function defineEngine<Schema extends z.ZodObject>(row: {
  readonly name: string;
  readonly summary: string;
  readonly options: Schema;
  create(options: z.output<Schema>, host: EngineHost): TtsEngine;
}): EngineDefinition {
  return {
    name: row.name,
    summary: row.summary,
    options: row.options,
    create(options, host) {
      const parsed = row.options.safeParse(options ?? {});
      if (parsed.success) return row.create(parsed.data, host);
      throw optionError(row.name, parsed.error);
    },
  };
}

function optionError(engine: string, error: z.ZodError): BridgeError {
  const issue = error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    return new BridgeError('OPTION_INVALID', `The engine ${engine} has no option '${issue.keys[0] ?? ''}'.`);
  }
  const name = issue?.path.join('.') ?? '';
  return new BridgeError(
    'OPTION_INVALID',
    `The option '${name}' of the engine ${engine} cannot be used: ${issue?.message ?? 'it is wrong'}.`,
  );
}

/** Returns the options of an engine that is used over HTTP. */
export function httpOptions(defaultBaseUrl: string) {
  return {
    baseUrl: z
      .url({ protocol: /^https?$/, error: 'it must be an address that starts with http:// or https://' })
      .default(defaultBaseUrl)
      .describe('Where the engine answers.'),
    firstByteMs: z
      .number()
      .int()
      .min(100)
      .max(600_000)
      .optional()
      .describe('How long it may take to answer.'),
    idleMs: z
      .number()
      .int()
      .min(100)
      .max(600_000)
      .optional()
      .describe('How long it may be silent in an answer.'),
    parallel: z
      .number()
      .int()
      .min(1)
      .max(8)
      .optional()
      .describe('How many utterances it is asked for side by side.'),
    maxReplyBytes: z.number().int().min(1000).optional().describe('The longest answer that is taken.'),
  };
}

/** Returns the option of an engine that may send samples without a header. */
export function rawFormatOption(help: string) {
  return z
    .string()
    .transform((text, context): RawFormat => {
      try {
        return parseRawFormat(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    })
    .optional()
    .describe(help);
}

/** Returns the options of an engine that needs a key. */
export function keyOptions(defaultName: string) {
  return {
    keyEnv: z
      .string()
      .regex(
        /^[A-Z][A-Z0-9_]{0,100}$/,
        'it must be the name of an environment variable, in capitals, and never the key',
      )
      .default(defaultName)
      .describe('The environment variable that holds the key. The key itself is never an option.'),
  };
}

/**
 * Returns a key from the environment.
 * @throws BridgeError ENGINE_KEY_MISSING that names the variable
 */
export function requiredKey(engine: string, host: EngineHost, name: string): string {
  const key = host.environment[name]?.trim();
  if (key) return key;
  throw new BridgeError(
    'ENGINE_KEY_MISSING',
    `The engine ${engine} needs a key in ${name}, which is not set.`,
  );
}

/** Creates an HTTP client from an engine's options. */
export function httpClient(
  engine: string,
  options: { readonly baseUrl: string } & { [Name in keyof HttpLimits]?: number | undefined },
  host: EngineHost,
  more: { readonly headers?: Readonly<Record<string, string>>; readonly secrets?: readonly string[] } = {},
): HttpClient {
  const { baseUrl, firstByteMs, idleMs, maxReplyBytes } = options;
  return new HttpClient({
    engine,
    baseUrl,
    clock: host.clock,
    limits: defined({ firstByteMs, idleMs, maxReplyBytes }),
    ...more,
  });
}

const MAX_SUGGESTIONS = 8;

/**
 * Finds a voice by its id, else by its name in any case, else by the only name with that beginning.
 * @throws BridgeError VOICE_UNKNOWN with some available voices
 */
export function findVoice<V extends Voice>(
  engine: string,
  voices: readonly V[],
  wanted: string | undefined,
): V {
  const some = voices.slice(0, MAX_SUGGESTIONS).map(({ id, name }) => (id === name ? id : `${id} (${name})`));
  const there =
    some.length > 0 ? `; there are ${some.join(', ')}${voices.length > some.length ? ', …' : ''}` : '';
  if (wanted === undefined) {
    const first = voices[0];
    if (first) return first;
    throw new BridgeError('VOICE_UNKNOWN', `The engine ${engine} has no voices.`);
  }
  const key = wanted.trim().toLowerCase();
  const exact =
    voices.find(({ id }) => id === wanted.trim()) ?? voices.find(({ name }) => name.toLowerCase() === key);
  if (exact) return exact;
  const begun = voices.find(({ name }) => name.toLowerCase().startsWith(`${key}/`));
  if (begun) return begun;
  throw new BridgeError('VOICE_UNKNOWN', `The engine ${engine} has no voice '${wanted}'${there}.`);
}

import type { Command } from 'commander';
import type { CaptionOptions } from '../agent/say.js';
import { BridgeError } from '../base/errors.js';
import type { OptionKey, OptionValues } from '../config.js';
import type { Dictionary } from '../tts/dictionary.js';
import { defined } from '../base/defined.js';
import { DEFAULT_ENGINE, type EngineSettings, type VoiceChoice } from '../tts/engine-pool.js';
import type { TagTable } from '../tts/tags.js';
import { readConfig } from './config-file.js';
import { addOptions, addOverrides, readOverrides, type Env } from './flags.js';

const VOICE_KEYS = [
  ...(['engine', 'voice', 'language', 'baseUrl', 'fallback', 'rate', 'pitchSemitones', 'volume'] as const),
  ...(['lips', 'captions', 'unknownTags', 'skip'] as const),
] satisfies OptionKey[];
const ENGINE_KEYS = ['engine', 'baseUrl'] as const satisfies OptionKey[];
const FILE_KEYS = ['config', 'tags', 'dictionary'] as const satisfies OptionKey[];

/** Engine that runs a program of the caller's choice. */
const PROGRAM_ENGINE = 'program';

/** Maximum length of a query, which has to fit into a request's head. */
const MAX_QUERY_CHARS = 8000;

/** Query of a route. */
export type Query = Record<string, string | number | boolean | undefined>;

/** Adds the options of spoken text. */
export function addTextOptions(command: Command): Command {
  return addOptions(addOverrides(command, VOICE_KEYS), FILE_KEYS);
}

/** Adds the options that choose an engine. */
export function addEngineOptions(command: Command): Command {
  return addOptions(addOverrides(command, ENGINE_KEYS), FILE_KEYS.slice(0, 1));
}

/** Wanted manner of spoken text: the flags, else the configuration; missing values are left to the service. */
export interface TextWish {
  readonly voice: VoiceChoice;
  /** Settings of single engines in the configuration. */
  readonly engines: Readonly<Record<string, EngineSettings>>;
  readonly lips: OptionValues['lips'] | undefined;
  readonly captions: boolean | CaptionOptions | undefined;
  readonly tags: TagTable | undefined;
  readonly unknownTags: OptionValues['unknownTags'] | undefined;
  readonly skip: OptionValues['skip'] | undefined;
  readonly dictionary: Dictionary | undefined;
  /** True when the engine is a program named by the caller, which runs here and not in the service. */
  readonly runsHere: boolean;
}

/** A program of `--program` and `--format`. */
export interface ProgramFlags {
  readonly program?: string | undefined;
  readonly format?: string | undefined;
}

/**
 * Reads the text options.
 * @throws BridgeError OPTION_INVALID, or as `readConfig`
 */
export async function readTextWish(command: Command, env: Env, program: ProgramFlags): Promise<TextWish> {
  const flags = readOverrides(command, VOICE_KEYS);
  const { options, engines, say } = await readConfig(command, env);
  checkProgram(program, flags.engine);
  const named = program.program === undefined ? (flags.engine ?? options.engine) : PROGRAM_ENGINE;
  const engine = named ?? (DEFAULT_ENGINE in engines ? DEFAULT_ENGINE : undefined);
  const settings = engine === undefined ? undefined : engines[engine];
  const own = defined({ baseUrl: flags.baseUrl, ...program });
  const engineOptions = Object.keys(own).length > 0 ? own : settings?.options;
  const shown = flags.captions ?? options.captions ?? say.captions !== undefined;
  return {
    voice: defined({
      engine,
      engineOptions,
      voice: flags.voice ?? settings?.voice,
      language: flags.language ?? settings?.language,
      fallback: flags.fallback ?? options.fallback,
      rate: flags.rate ?? options.rate,
      pitchSemitones: flags.pitchSemitones ?? options.pitchSemitones,
      volume: flags.volume ?? options.volume,
    }),
    engines,
    lips: flags.lips ?? options.lips,
    captions: shown ? (say.captions ?? true) : (flags.captions ?? options.captions),
    tags: say.tags,
    unknownTags: flags.unknownTags ?? options.unknownTags,
    skip: flags.skip ?? options.skip,
    dictionary: say.dictionary,
    runsHere: engine === PROGRAM_ENGINE && engineOptions !== undefined && 'program' in engineOptions,
  };
}

/**
 * Returns the text options as a query.
 * @throws BridgeError OPTION_INVALID when it is too long for a request
 */
export function textQuery(wish: TextWish): Query {
  const { engineOptions, ...voice } = wish.voice;
  const query = {
    ...(voice as Query),
    engineOptions: engineOptions && JSON.stringify(engineOptions),
    lips: wish.lips,
    captions: wish.captions === undefined ? undefined : wish.captions !== false,
    tags: wish.tags && JSON.stringify(wish.tags),
    unknownTags: wish.unknownTags,
    skip: wish.skip && (wish.skip.join(',') || 'none'),
    dictionary: wish.dictionary && JSON.stringify(Object.fromEntries(wish.dictionary.entries)),
  };
  if (encodeURIComponent(JSON.stringify(query)).length > MAX_QUERY_CHARS) {
    throw new BridgeError(
      'OPTION_INVALID',
      `The tags and the dictionary are too long to go with a request: start the service with them (serve --config).`,
    );
  }
  return query;
}

function checkProgram({ program, format }: ProgramFlags, engine: string | undefined): void {
  if (program !== undefined && engine !== undefined && engine !== PROGRAM_ENGINE)
    throw new BridgeError('OPTION_INVALID', `--program is for --engine program, not for ${engine}.`);
  if (format !== undefined && program === undefined)
    throw new BridgeError('OPTION_INVALID', '--format is for --program: it says what that program writes.');
}

/** Returns the query that chooses an engine. @throws BridgeError OPTION_INVALID, or as `readConfig` */
export async function engineQuery(command: Command, env: Env): Promise<Query> {
  const flags = readOverrides(command, ENGINE_KEYS);
  const { options, engines } = await readConfig(command, env);
  const engine = flags.engine ?? options.engine;
  const engineOptions =
    flags.baseUrl === undefined
      ? engine === undefined
        ? undefined
        : engines[engine]?.options
      : { baseUrl: flags.baseUrl };
  return { engine, engineOptions: engineOptions && JSON.stringify(engineOptions) };
}

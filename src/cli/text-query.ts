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

/** The engine that is a program of the caller's choice. */
const PROGRAM_ENGINE = 'program';

/** What goes with a request has to fit into its head. */
const MAX_QUERY_CHARS = 8000;

/** What a route's query says. */
export type Query = Record<string, string | number | boolean | undefined>;

/** Adds everything that says how a text is spoken. */
export function addTextOptions(command: Command): Command {
  return addOptions(addOverrides(command, VOICE_KEYS), FILE_KEYS);
}

/** Adds what says which engine is meant. */
export function addEngineOptions(command: Command): Command {
  return addOptions(addOverrides(command, ENGINE_KEYS), FILE_KEYS.slice(0, 1));
}

/** How a text is to be spoken: the flags, else the configuration's own word; what is left out is as the service has it. */
export interface TextWish {
  readonly voice: VoiceChoice;
  /** What the configuration says of single engines. */
  readonly engines: Readonly<Record<string, EngineSettings>>;
  readonly lips: OptionValues['lips'] | undefined;
  readonly captions: boolean | CaptionOptions | undefined;
  readonly tags: TagTable | undefined;
  readonly unknownTags: OptionValues['unknownTags'] | undefined;
  readonly skip: OptionValues['skip'] | undefined;
  readonly dictionary: Dictionary | undefined;
  /** The engine is a program that the caller names: it is the caller, not the service, that runs it. */
  readonly runsHere: boolean;
}

/** A program as `--program` and `--format` name it. */
export interface ProgramFlags {
  readonly program?: string | undefined;
  readonly format?: string | undefined;
}

/**
 * Reads how a text is to be spoken.
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
 * The same as a request says it.
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

/** Which engine is meant. @throws BridgeError OPTION_INVALID, or as `readConfig` */
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

import type { Command } from 'commander';
import { BridgeError } from '../base/errors.js';
import type { OptionKey } from '../config.js';
import { DEFAULT_ENGINE } from '../tts/engine-pool.js';
import { readConfig } from './config-file.js';
import { addOptions, addOverrides, readOverrides, type Env } from './flags.js';

const VOICE_KEYS = [
  ...(['engine', 'voice', 'language', 'baseUrl', 'fallback', 'rate', 'pitch', 'volume'] as const),
  ...(['lips', 'captions', 'unknownTags'] as const),
] satisfies OptionKey[];
const ENGINE_KEYS = ['engine', 'baseUrl'] as const satisfies OptionKey[];
const FILE_KEYS = ['config', 'tags', 'dictionary'] as const satisfies OptionKey[];

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

/**
 * How a text is to be spoken: the flags, else the configuration's own word, else as the service has it.
 * @param program the command line for `--engine command`
 * @throws BridgeError OPTION_INVALID, or as `readConfig`
 */
export async function textQuery(command: Command, env: Env, program: string | undefined): Promise<Query> {
  const flags = readOverrides(command, VOICE_KEYS);
  const { options, engines, say } = await readConfig(command, env);
  const named = flags.engine ?? options.engine;
  const engine = named ?? (DEFAULT_ENGINE in engines ? DEFAULT_ENGINE : undefined);
  const settings = engine === undefined ? undefined : engines[engine];
  const own = {
    ...(flags.baseUrl !== undefined && { baseUrl: flags.baseUrl }),
    ...(program !== undefined && { command: program }),
  };
  const engineOptions = Object.keys(own).length > 0 ? own : settings?.options;
  const query: Query = {
    engine,
    voice: flags.voice ?? settings?.voice,
    language: flags.language ?? settings?.language,
    engineOptions: engineOptions && JSON.stringify(engineOptions),
    fallback: flags.fallback ?? options.fallback,
    rate: flags.rate ?? options.rate,
    pitchSemitones: flags.pitch ?? options.pitch,
    volume: flags.volume ?? options.volume,
    lips: flags.lips ?? options.lips,
    captions: flags.captions ?? options.captions ?? (say.captions === undefined ? undefined : true),
    tags: say.tags && JSON.stringify(say.tags),
    unknownTags: flags.unknownTags ?? options.unknownTags,
    dictionary: say.dictionary && JSON.stringify(Object.fromEntries(say.dictionary.entries)),
  };
  if (encodeURIComponent(JSON.stringify(query)).length > MAX_QUERY_CHARS) {
    throw new BridgeError(
      'OPTION_INVALID',
      `The tags and the dictionary are too long to go with a request: start the service with them (serve --config).`,
    );
  }
  return query;
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

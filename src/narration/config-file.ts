import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { faultOf, YamlFile } from '../base/yaml-file.js';
import type { SayOptions } from '../agent/say.js';
import { OPTIONS, SERVICE_KEYS, type OptionKey, type OptionSpec, type OptionValues } from '../config.js';
import { Dictionary } from '../tts/dictionary.js';
import type { EngineSettings } from '../tts/engine-pool.js';
import { ENGINES } from '../tts/engines.js';
import { loadTags, TagTableSchema } from './tag-file.js';
import type { SynthVoices } from './synth-answerer.js';

/** Name of the configuration file looked for in the current folder. */
export const CONFIG_NAME = 'bridge.yaml';

/** A configuration, as `createBridge` takes it. */
export interface BridgeConfig {
  /** Path of the file. */
  readonly path: string;
  /** Options of the table. */
  readonly options: Partial<OptionValues>;
  /** Settings of single engines, by name. Settings beside `engine` belong to that engine. */
  readonly engines: Readonly<Record<string, EngineSettings>>;
  /** All other text settings. */
  readonly say: SayOptions;
  /** Voices by the names that the avatars' SYNTH_START messages carry. */
  readonly synthVoices?: SynthVoices | undefined;
}

/** Options whose relative paths are resolved against the configuration's folder. */
const PATH_KEYS: readonly OptionKey[] = [
  ...(['tokenFile', 'tlsCert', 'tlsKey'] as const),
  ...(['natsNkey', 'natsCreds', 'natsCa'] as const),
];
const ENGINE_KEYS: readonly OptionKey[] = ['voice', 'language', 'baseUrl'];
const KEYS = SERVICE_KEYS.filter((key) => !(OPTIONS[key] as OptionSpec).secret);
const SECRETS = SERVICE_KEYS.filter((key) => (OPTIONS[key] as OptionSpec).secret);

/** Returns an option's key in the file: the flag's name, `--lead-ms` as `leadMs`. */
function nameOf(key: OptionKey): string {
  return OPTIONS[key].flag
    .split(' ')[0]!
    .slice(2)
    .replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

const word = z.union([z.string(), z.number()]).transform(String);

const SynthVoiceSchema = z.strictObject({
  engine: z.string().optional(),
  engineOptions: z.record(z.string(), z.unknown()).optional(),
  voice: word.optional(),
  language: z.string().optional(),
  rate: OPTIONS.rate.schema.unwrap().optional(),
  pitchSemitones: OPTIONS.pitchSemitones.schema.unwrap().optional(),
  volume: OPTIONS.volume.schema.unwrap().optional(),
  fallback: z.string().optional(),
});

const OWN_KEYS = {
  // A voice is often written as a number.
  voice: word.optional(),
  captions: z
    .union([
      z.boolean(),
      z.strictObject({
        size: z.number().min(0.1).max(100).optional(),
        height: z.number().min(0).max(1).optional(),
        align: z.enum(['CENTER', 'LEFT', 'RIGHT']).optional(),
      }),
    ])
    .optional(),
  engineOptions: z.record(z.string(), z.unknown()).optional(),
  engines: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  tags: z.union([z.string().min(1), TagTableSchema]).optional(),
  dictionary: z.union([z.string().min(1), z.record(z.string().min(1), word)]).optional(),
  synth: z.record(z.string().min(1), SynthVoiceSchema).optional(),
};

const OPTION_KEYS = Object.fromEntries(
  KEYS.map((key) => {
    const { schema, range }: OptionSpec = OPTIONS[key];
    const fits = (value: unknown): boolean => schema.safeParse(value).success;
    return [nameOf(key), z.custom(fits, { error: `it takes ${range}` }).optional()];
  }),
);

const ConfigSchema = z.strictObject({ ...OPTION_KEYS, ...OWN_KEYS });

type Own = z.output<z.ZodObject<typeof OWN_KEYS>>;

/**
 * Finds the configuration: the given file, else the one in the current folder, if there is one.
 * @param named path from a flag or the environment
 */
export function findConfig(named: string | undefined): string | undefined {
  if (named !== undefined && named !== '') return named;
  return existsSync(CONFIG_NAME) ? CONFIG_NAME : undefined;
}

/**
 * Reads a configuration: engine, voice, tags and all the service's options, by the names of their flags. It contains no
 * secrets: keys and tokens are given by the name of their file or variable.
 * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE, or CONFIG_INVALID with the file, the line and the key
 */
export async function loadBridgeConfig(path: string): Promise<BridgeConfig> {
  const file = await YamlFile.read(path, 'The configuration');
  const raw = file.value();
  refuseSecrets(file, raw);
  const known = [...KEYS.map(nameOf), 'engineOptions', 'engines', 'tags', 'dictionary', 'synth'];
  const result = ConfigSchema.safeParse(raw);
  if (!result.success) throw file.fault(faultOf(result.error, known));
  const own = result.data;
  const value: Record<string, unknown> = result.data;

  const options: Record<string, unknown> = {};
  for (const key of KEYS) {
    const given = value[nameOf(key)];
    if (given === undefined || ENGINE_KEYS.includes(key) || (key === 'captions' && typeof given === 'object'))
      continue;
    const path = PATH_KEYS.includes(key) ? beside(file, given as string) : given;
    options[key] = (OPTIONS[key] as OptionSpec).schema.parse(path);
  }
  const { tags, dictionary, captions } = own;
  return {
    path,
    options,
    engines: enginesOf(file, value, own),
    synthVoices: own.synth && synthVoicesOf(file, own.synth),
    say: {
      ...(typeof captions === 'object' && { captions: defined(captions) }),
      ...(tags !== undefined && {
        tags: typeof tags === 'string' ? await loadTags(beside(file, tags)) : tags,
      }),
      ...(dictionary !== undefined && {
        dictionary:
          typeof dictionary === 'string'
            ? await Dictionary.load(beside(file, dictionary))
            : new Dictionary(Object.entries(dictionary)),
      }),
    },
  };
}

function beside(file: YamlFile, path: string): string {
  return resolve(dirname(file.path), path);
}

function defined<Shape extends object>(
  shape: Shape,
): { [Key in keyof Shape]: Exclude<Shape[Key], undefined> } {
  const entries = Object.entries(shape).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof Shape]: Exclude<Shape[Key], undefined> };
}

function refuseSecrets(file: YamlFile, raw: unknown): void {
  const key = SECRETS.map(nameOf).find((name) => typeof raw === 'object' && raw !== null && name in raw);
  if (key === undefined) return;
  const instead = key === 'token' ? 'name a tokenFile' : `give ${OPTIONS.agentToken.env}`;
  throw file.fault({
    path: [key],
    message: `${key} is a secret and does not belong here: ${instead} instead`,
  });
}

/** Returns each engine's settings; top-level settings are added to the engine named there. */
function enginesOf(
  file: YamlFile,
  value: Readonly<Record<string, unknown>>,
  own: Own,
): Record<string, EngineSettings> {
  const settings: Record<string, EngineSettings> = {};
  for (const [name, given] of Object.entries(own.engines ?? {})) {
    const { voice, language, ...options } = given;
    checkOptions(file, name, options, ['engines', name]);
    settings[name] = settingsOf(file, ['engines', name], { voice, language, options });
  }
  const engine = (value['engine'] as string | undefined) ?? OPTIONS.engine.schema.parse(undefined);
  const { baseUrl, language } = value;
  const options = {
    ...settings[engine]?.options,
    ...own.engineOptions,
    ...(baseUrl !== undefined && { baseUrl }),
  };
  checkOptions(file, engine, options, own.engineOptions ? ['engineOptions'] : ['engine']);
  const { voice } = own;
  const top = settingsOf(file, [], { voice, language, options });
  if (Object.keys(top).length > 0) settings[engine] = { ...settings[engine], ...top };
  return settings;
}

function synthVoicesOf(file: YamlFile, table: NonNullable<Own['synth']>): SynthVoices {
  const entries = Object.entries(table).map(([name, given]) => {
    const { engine, engineOptions } = given;
    if (engine !== undefined) checkOptions(file, engine, engineOptions ?? {}, ['synth', name, 'engine']);
    return [name, defined(given)] as const;
  });
  return Object.fromEntries(entries);
}

function settingsOf(
  file: YamlFile,
  path: string[],
  { options, ...words }: { voice: unknown; language: unknown; options: object },
): EngineSettings {
  const said = Object.entries(words)
    .filter(([, given]) => given !== undefined)
    .map(([name, given]): [string, string] => {
      const read = word.safeParse(given);
      if (read.success) return [name, read.data];
      throw file.fault({ path: [...path, name], message: `${name} cannot be used: it takes a text` });
    });
  return { ...(Object.keys(options).length > 0 && { options }), ...Object.fromEntries(said) };
}

function checkOptions(file: YamlFile, name: string, options: object, path: string[]): void {
  const engine = ENGINES.find((row) => row.name === name);
  if (!engine) {
    const names = ENGINES.map((row) => row.name).join(', ');
    throw file.fault({ path, message: `there is no engine '${name}'; there are ${names}` });
  }
  if (Object.keys(options).length === 0) return;
  const result = engine.options.safeParse(options);
  if (result.success) return;
  const fault = faultOf(result.error, Object.keys(engine.options.shape));
  const last = String(fault.path.at(-1));
  const key = /key|secret|token/i.test(last) && last !== 'keyEnv';
  const hint =
    key && 'keyEnv' in engine.options.shape ? ': a key is never written here, keyEnv names its variable' : '';
  throw file.fault({
    path: [...path, ...fault.path],
    message: `the engine ${name}: ${hint ? `there is no '${last}'${hint}` : fault.message}`,
  });
}

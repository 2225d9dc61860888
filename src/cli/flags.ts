import { Option, type Command } from 'commander';
import { BridgeError } from '../base/errors.js';
import {
  CLIENT_KEYS,
  defaultText,
  OPTIONS,
  resolveOptions,
  type OptionKey,
  type OptionSpec,
  type OptionValues,
} from '../config.js';

/** Environment variables. */
export type Env = Partial<Record<string, string>>;

/** Options of every client command. */
export type ClientOptions = Pick<OptionValues, 'host' | 'port' | 'timeoutMs'>;

/** Adds rows of the options table to a command: flag, help with range, default and environment name. */
export function addOptions(command: Command, keys: readonly OptionKey[]): Command {
  for (const key of keys) {
    const spec: OptionSpec = OPTIONS[key];
    const fallback = defaultText(spec);
    const notes = [
      ...(spec.flag.includes('<') ? [spec.range] : []),
      ...(fallback === undefined ? [] : [`default ${fallback}`]),
      spec.env,
    ];
    const flag = new Option(spec.flag, `${spec.help.replace(/\.$/, '')} (${notes.join('; ')})`);
    // An option that takes several values can be given several times.
    if (Array.isArray(spec.schema.safeParse(undefined).data))
      flag.argParser((value, before: string | undefined) =>
        before === undefined ? value : `${before},${value}`,
      );
    command.addOption(flag);
  }
  return command;
}

/** Adds rows whose default is the service's: only given values count. */
export function addOverrides(command: Command, keys: readonly OptionKey[]): Command {
  for (const key of keys) {
    const { flag, help, range }: OptionSpec = OPTIONS[key];
    command.addOption(
      new Option(flag, `${help.replace(/\.$/, '')} (${range}; by default as the service has it)`),
    );
  }
  return command;
}

/** Adds the options of every client command. */
export function addClientOptions(command: Command, options: { agent: boolean }): Command {
  return addOptions(
    command,
    CLIENT_KEYS.filter((key) => options.agent || key !== 'agent'),
  );
}

/**
 * Returns the values of options: the flag, else the environment, else the file, else the default.
 * @param file validated values of a configuration
 * @throws BridgeError OPTION_INVALID with the flag or the environment variable
 */
export function readOptions<Key extends OptionKey>(
  command: Command,
  keys: readonly Key[],
  env: Env,
  file: Partial<OptionValues> = {},
): Pick<OptionValues, Key> {
  const values: Partial<OptionValues> = {};
  for (const key of keys) {
    const own = flagValue(command, key) === undefined && (env[OPTIONS[key].env] ?? '') === '';
    const given = own && file[key] !== undefined ? { [key]: file[key] } : readOption(command, key, env);
    Object.assign(values, given);
  }
  return values as Required<Pick<OptionValues, Key>>;
}

/**
 * Returns the values of options given as flags.
 * @throws BridgeError OPTION_INVALID with the flag
 */
export function readOverrides<Key extends OptionKey>(
  command: Command,
  keys: readonly Key[],
): Partial<Pick<OptionValues, Key>> {
  const given = keys.filter((key) => flagValue(command, key) !== undefined);
  return readOptions(command, given, {});
}

function readOption<Key extends OptionKey>(command: Command, key: Key, env: Env): Pick<OptionValues, Key> {
  try {
    return resolveOptions([key], { [key]: flagValue(command, key) }, env);
  } catch (error) {
    if (!(error instanceof BridgeError) || !error.message.startsWith(`${key} `)) throw error;
    throw new BridgeError('OPTION_INVALID', flagName(key) + error.message.slice(key.length));
  }
}

/** Returns an option's value on the command line. Commander stores it under the flag's name, not the key's. */
function flagValue(command: Command, key: OptionKey): unknown {
  const [, negated, name] = /^--(no-)?(.+)$/.exec(flagName(key))!;
  const value =
    command.opts<Record<string, unknown>>()[
      name!.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    ];
  // Commander treats `--no-x` as an `x` that is on by default.
  return negated === undefined ? value : value === false || undefined;
}

function flagName(key: OptionKey): string {
  return OPTIONS[key].flag.split(' ')[0]!;
}

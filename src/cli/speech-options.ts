import { InvalidArgumentError, Option, type Command } from 'commander';
import { readTextFile } from '../base/text-file.js';
import type { OptionKey } from '../config.js';
import { parseCueFile } from '../speech/cue-file.js';
import type { Cue } from '../speech/cues.js';
import { addOverrides, readOverrides } from './flags.js';
import { decimal } from './numbers.js';
import type { Query } from './text-query.js';

const OVERRIDES = ['leadMs', 'model'] as const satisfies OptionKey[];

/** Options of one speech, of sound or text. */
export interface SpeechFlags {
  readonly interrupt?: boolean;
  readonly ifIdle?: boolean;
  readonly priority?: number;
  readonly gainDb?: number;
  readonly join?: boolean;
  readonly mode?: 'file' | 'stream';
  readonly cues?: string;
}

/** Adds the options of the speaking routes. */
export function addSpeechOptions(command: Command): Command {
  command
    .option('--interrupt', 'end what is spoken and drop what waits, and speak at once')
    .addOption(new Option('--if-idle', 'refuse when the avatar is speaking').conflicts('interrupt'))
    .option('--priority <number>', 'a higher one goes first among those that wait (default 0)', integer)
    .option('--gain-db <dB>', 'level in dB, -60 to 20 (default 0: unchanged)', decimal)
    .option('--join', 'follow what is spoken without a gap')
    .addOption(modeOption())
    .option(
      '--cues <file>',
      'commands at moments of the sound: JSON, [{"atMs": 500, "send": "…"}], or WebVTT',
    );
  return addOverrides(command, OVERRIDES);
}

/** `--mode`: source of the avatar's lip movements. */
export function modeOption(): Option {
  return new Option(
    '--mode <mode>',
    'how the avatar moves its lips: file (default), or stream, which uses its own voice detection',
  ).choices(['file', 'stream']);
}

/**
 * Returns the query of a speaking route, without `when`, which applies only to the first speech.
 * @throws BridgeError OPTION_INVALID
 */
export function speechQuery(command: Command, flags: SpeechFlags): Query {
  const { priority, gainDb, join, mode } = flags;
  return { ...readOverrides(command, OVERRIDES), priority, gainDb, join, mode };
}

/** Returns `when` of a speech. */
export function whenOf({ interrupt, ifIdle }: SpeechFlags): 'interrupt' | 'if-idle' | undefined {
  return interrupt ? 'interrupt' : ifIdle ? 'if-idle' : undefined;
}

/** Reads the commands of `--cues`. @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE or CUES_INVALID */
export async function readCues({ cues: path }: SpeechFlags): Promise<Cue[]> {
  if (path === undefined) return [];
  return parseCueFile(await readTextFile(path), `'${path}'`);
}

function integer(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new InvalidArgumentError('It takes a whole number.');
  return Number(text);
}

import type { Command } from 'commander';
import { findConfig, loadBridgeConfig, type BridgeConfig } from '../narration/config-file.js';
import { Dictionary } from '../tts/dictionary.js';
import { loadTags } from '../narration/tag-file.js';
import { readOptions, type Env } from './flags.js';

/** What the files say that a command is given: its configuration, and above it `--tags` and `--dictionary`. */
export type FileConfig = Omit<BridgeConfig, 'path'> & {
  /** File of the configuration, if there is one. */
  readonly path?: string | undefined;
};

/**
 * Reads the files of a command: `--config`, else MMDAGENT_BRIDGE_CONFIG, else ./bridge.yaml if there is one.
 * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE, or CONFIG_INVALID that names file and line
 */
export async function readConfig(command: Command, env: Env): Promise<FileConfig> {
  const { config, tags, dictionary } = readOptions(command, ['config', 'tags', 'dictionary'], env);
  const path = findConfig(config);
  const read: FileConfig =
    path === undefined ? { options: {}, engines: {}, say: {} } : await loadBridgeConfig(path);
  return {
    ...read,
    say: {
      ...read.say,
      ...(tags !== undefined && { tags: await loadTags(tags) }),
      ...(dictionary !== undefined && { dictionary: await Dictionary.load(dictionary) }),
    },
  };
}

import type { Command } from 'commander';
import { findConfig, loadBridgeConfig, type BridgeConfig } from '../narration/config-file.js';
import { Dictionary } from '../tts/dictionary.js';
import { loadTags } from '../narration/tag-file.js';
import { readOptions, type Env } from './flags.js';

/** Settings from a command's files: its configuration, overridden by `--tags` and `--dictionary`. */
export type FileConfig = Omit<BridgeConfig, 'path'> & {
  /** Path of the configuration, if there is one. */
  readonly path?: string | undefined;
};

/**
 * Reads the files of a command: `--config`, else MMDAGENT_BRIDGE_CONFIG, else ./bridge.yaml if it exists.
 * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE, or CONFIG_INVALID with file and line
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

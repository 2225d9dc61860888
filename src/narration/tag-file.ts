import { z } from 'zod';
import { YamlFile } from '../base/yaml-file.js';
import type { TagTable } from '../tts/tags.js';

const MAX_LINE = 4100;
const commands = z.array(z.string().min(1).max(MAX_LINE)).max(20);

/** Table of tags in files and requests: one command line, several, or a whole action, by the tag's word. */
export const TagTableSchema = z.record(
  z.string().regex(/^\p{L}[\p{L}\p{N}_-]{0,31}$/u, 'a tag is one word that begins with a letter'),
  z.union(
    [
      z.string().min(1).max(MAX_LINE),
      commands,
      z.strictObject({ commands: commands.optional(), pauseMs: z.number().min(0).max(10_000).optional() }),
    ],
    { error: 'it takes a command, a list of commands, or commands and pauseMs' },
  ),
);

/**
 * Reads a table of tags from a file of YAML or JSON: `nod: MOTION_ADD|{model}|nod|nod.vmd`.
 * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE or CONFIG_INVALID
 */
export async function loadTags(path: string): Promise<TagTable> {
  return (await YamlFile.read(path, 'The tags')).checked(TagTableSchema);
}

import { parse } from 'yaml';
import { BridgeError } from '../base/errors.js';
import { readTextFile } from '../base/text-file.js';

/** Replacements before synthesis: as it is written, as it is to be said. */
export class Dictionary {
  readonly #readings: ReadonlyMap<string, string>;
  readonly #pattern: RegExp | undefined;

  /** @param entries pairs of what is written and how it is said; case does not matter, the longest match wins */
  constructor(entries: Iterable<readonly [written: string, said: string]>) {
    const readings = new Map<string, string>();
    for (const [written, said] of entries)
      if (written.trim()) readings.set(keyOf(written.trim()), said.trim());
    this.#readings = readings;
    const words = [...readings.keys()].sort((a, b) => b.length - a.length);
    this.#pattern = words.length > 0 ? new RegExp(words.map(patternOf).join('|'), 'giu') : undefined;
  }

  /** How each word is said; written words in lower case. */
  get entries(): ReadonlyMap<string, string> {
    return this.#readings;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#readings.size;
  }

  /** Replaces every entry in a text, once: a reading is not replaced again. */
  apply(text: string): string {
    if (!this.#pattern) return text;
    return text.replace(this.#pattern, (found) => this.#readings.get(keyOf(found)) ?? found);
  }

  /**
   * Reads a dictionary from a file: `written = said` or `written<Tab>said` a line, `#` begins a comment; or, by the
   * ending .yaml, .yml or .json, one mapping.
   * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE with the line at fault
   */
  static async load(path: string): Promise<Dictionary> {
    const text = await readTextFile(path);
    return new Dictionary(
      /\.(?:ya?ml|json)$/i.test(path) ? parseMapping(text, path) : parseLines(text, path),
    );
  }
}

function keyOf(written: string): string {
  return written.normalize('NFC').toLowerCase();
}

/** A word of letters is matched whole: `AI` is not found in `said`. Scripts without spaces have no such edges. */
function patternOf(written: string): string {
  const escaped = written.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const edged = '[\\p{Script=Latin}\\p{Script=Greek}\\p{Script=Cyrillic}\\p{N}]';
  const edge = new RegExp(edged, 'u');
  const before = edge.test(written.charAt(0)) ? `(?<!${edged})` : '';
  const after = edge.test(written.charAt(written.length - 1)) ? `(?!${edged})` : '';
  return before + escaped + after;
}

function* parseLines(text: string, path: string): Generator<[string, string]> {
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    if (!line.trim() || line.trimStart().startsWith('#')) continue;
    const at = line.includes('\t') ? line.indexOf('\t') : line.indexOf('=');
    if (at < 1) {
      throw new BridgeError(
        'FILE_UNREADABLE',
        `Line ${index + 1} of the dictionary ${path} is not 'written = said'.`,
      );
    }
    yield [line.slice(0, at), line.slice(at + 1)];
  }
}

function parseMapping(text: string, path: string): [string, string][] {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new BridgeError(
      'FILE_UNREADABLE',
      `The dictionary ${path} cannot be read: ${(error as Error).message}`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BridgeError(
      'FILE_UNREADABLE',
      `The dictionary ${path} is not one mapping of words to readings.`,
    );
  }
  return Object.entries(value).map(([written, said]) => [written, String(said)]);
}

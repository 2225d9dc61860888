import { BridgeError } from '../base/errors.js';
import { readTextFile } from '../base/text-file.js';

/** Maximum length of an entry, in UTF-16 units; longer ones are cut off. */
const MAX_WRITTEN = 200;
/**
 * Scripts whose words are matched as a whole: `AI` is not found in `said`. Scripts without spaces have no
 * word edges.
 */
const EDGED = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{N}]/u;

/**
 * Replaces written words by their pronunciation before synthesis. Case is ignored, and the longest match
 * wins. Entries are looked up in a map by the lengths that their first character has, so the time for a text
 * does not depend on the number of entries.
 */
export class Dictionary {
  readonly #readings = new Map<string, string>();
  /** Lengths of all entries, longest first, by the first UTF-16 unit. */
  readonly #lengths = new Map<string, number[]>();
  #steps = 0;

  /** @param entries pairs of the written word and its pronunciation */
  constructor(entries: Iterable<readonly [written: string, said: string]>) {
    const lengths = new Map<string, Set<number>>();
    for (const [written, said] of entries) {
      const key = folded(written.trim().slice(0, MAX_WRITTEN).normalize('NFC'));
      if (key === '') continue;
      this.#readings.set(key, said.trim());
      const first = key.charAt(0);
      const known = lengths.get(first);
      if (known) known.add(key.length);
      else lengths.set(first, new Set([key.length]));
    }
    for (const [first, all] of lengths) {
      this.#lengths.set(
        first,
        [...all].sort((a, b) => b - a),
      );
    }
  }

  /** Pronunciations by written word, in lower case. */
  get entries(): ReadonlyMap<string, string> {
    return this.#readings;
  }

  /** Number of entries. */
  get size(): number {
    return this.#readings.size;
  }

  /** Number of look-ups so far: a measure of work that does not depend on the machine. */
  get steps(): number {
    return this.#steps;
  }

  /** Replaces every entry in a text, once: replacements are not replaced again. */
  apply(text: string): string {
    if (this.#readings.size === 0) return text;
    const key = folded(text);
    let said = '';
    let from = 0;
    let at = 0;
    while (at < key.length) {
      const length = this.#matchAt(key, at);
      if (length === 0) {
        at += 1;
        continue;
      }
      said += text.slice(from, at) + this.#readings.get(key.slice(at, at + length))!;
      at += length;
      from = at;
    }
    return from === 0 ? text : said + text.slice(from);
  }

  /** @returns the length of the longest entry at an index, or 0 */
  #matchAt(key: string, at: number): number {
    for (const length of this.#lengths.get(key.charAt(at)) ?? []) {
      this.#steps++;
      const end = at + length;
      if (end > key.length || !this.#readings.has(key.slice(at, end))) continue;
      const opens = EDGED.test(key.charAt(at)) && EDGED.test(key.charAt(at - 1));
      const goesOn = EDGED.test(key.charAt(end - 1)) && EDGED.test(key.charAt(end));
      if (!opens && !goesOn) return length;
    }
    return 0;
  }

  /**
   * Reads a dictionary from a file: one `written = said` or `written<Tab>said` per line, with `#` for
   * comments; or a mapping in a .yaml, .yml or .json file.
   */
  static async load(path: string): Promise<Dictionary> {
    const text = await readTextFile(path);
    return new Dictionary(
      /\.(?:ya?ml|json)$/i.test(path) ? await parseMapping(text, path) : parseLines(text, path),
    );
  }
}

/** Converts a text to lower case, character by character, so that every index stays the same. */
function folded(text: string): string {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  let key = '';
  for (const character of text) {
    const one = character.toLowerCase();
    key += one.length === character.length ? one : character;
  }
  return key;
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

async function parseMapping(text: string, path: string): Promise<[string, string][]> {
  const { parse } = await import('yaml');
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

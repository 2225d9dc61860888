import { BridgeError } from '../base/errors.js';
import { readTextFile } from '../base/text-file.js';

/** Longer entries than this are cut off, in UTF-16 units: no word is so long. */
const MAX_WRITTEN = 200;
/** A word of these scripts is matched whole: `AI` is not found in `said`. Scripts without spaces have no such edges. */
const EDGED = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{N}]/u;

/**
 * Replacements before synthesis: as it is written, as it is to be said. Case does not matter, the longest match wins.
 * Entries are looked up in a map by the lengths that their first character has, so the time for a text does not depend on
 * the number of entries.
 */
export class Dictionary {
  readonly #readings = new Map<string, string>();
  /** By an entry's first UTF-16 unit: the lengths of all entries that begin with it, the longest first. */
  readonly #lengths = new Map<string, number[]>();
  #steps = 0;

  /** @param entries pairs of what is written and how it is said */
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

  /** How each word is said; written words in lower case. */
  get entries(): ReadonlyMap<string, string> {
    return this.#readings;
  }

  /** Number of entries. */
  get size(): number {
    return this.#readings.size;
  }

  /** Look-ups so far: a measure of the work that does not depend on the machine. */
  get steps(): number {
    return this.#steps;
  }

  /** Replaces every entry in a text, once: a reading is not replaced again. */
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
   * Reads a dictionary from a file: `written = said` or `written<Tab>said` a line, `#` begins a comment; or, by the
   * ending .yaml, .yml or .json, one mapping.
   * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE with the line at fault
   */
  static async load(path: string): Promise<Dictionary> {
    const text = await readTextFile(path);
    return new Dictionary(
      /\.(?:ya?ml|json)$/i.test(path) ? await parseMapping(text, path) : parseLines(text, path),
    );
  }
}

/** A text in lower case, character by character, so that every index stays the same. */
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

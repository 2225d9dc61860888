import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import type { z } from 'zod';
import { BridgeError } from './errors.js';
import { didYouMean } from './nearest.js';
import { readTextFile } from './text-file.js';

/** Fault in a file, with the keys that lead to it. */
export interface YamlFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** YAML or JSON file that reports faults with line numbers. */
export class YamlFile {
  readonly path: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #what: string;

  private constructor(path: string, what: string, text: string) {
    this.path = path;
    this.#what = what;
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
  }

  /**
   * Reads a file.
   * @param what name of the file in messages: `The configuration`
   * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE, or CONFIG_INVALID when it is not YAML
   */
  static async read(path: string, what: string): Promise<YamlFile> {
    const file = new YamlFile(path, what, await readTextFile(path));
    const [fault] = file.#document.errors;
    if (fault) throw file.#error(file.#lines.linePos(fault.pos[0]).line, fault.message);
    return file;
  }

  /** Returns the parsed value; an empty file gives an empty object. @throws BridgeError CONFIG_INVALID */
  value(): unknown {
    try {
      return (this.#document.toJS() as unknown) ?? {};
    } catch (error) {
      throw this.#error(1, (error as Error).message);
    }
  }

  /**
   * Returns the value parsed by a schema.
   * @throws BridgeError CONFIG_INVALID that names the file, the line and the key
   */
  checked<Schema extends z.ZodType>(schema: Schema): z.output<Schema> {
    const result = schema.safeParse(this.value());
    if (result.success) return result.data;
    throw this.fault(faultOf(result.error));
  }

  /** Returns the error for a fault, with its line. */
  fault({ path, message }: YamlFault): BridgeError {
    return this.#error(this.#lineOf(path), message);
  }

  #error(line: number, message: string): BridgeError {
    return new BridgeError(
      'CONFIG_INVALID',
      `${this.#what} ${this.path}, line ${line}: ${message.replace(/[.?]?$/, (end) => end || '.')}`,
    );
  }

  /** Returns the line of the key at the end of a path, or of the nearest parent that exists. */
  #lineOf(path: readonly (string | number)[]): number {
    let node: Node | null | undefined = this.#document.contents;
    let offset = node?.range?.[0] ?? 0;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
        if (!pair) break;
        offset = (pair.key as Node).range?.[0] ?? offset;
        node = pair.value as Node | null;
      } else if (isSeq(node)) {
        node = node.items[Number(step)] as Node | undefined;
        offset = node?.range?.[0] ?? offset;
      } else break;
    }
    return Math.max(1, this.#lines.linePos(offset).line);
  }
}

/**
 * Returns the first fault that a schema found, with the keys that lead to it.
 * @param known valid keys at the top level, listed when an unknown one is found
 */
export function faultOf(error: z.ZodError, known?: readonly string[]): YamlFault {
  const issue = deepest(error.issues[0]!);
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const where = path.length > 0 ? ` in ${path.join('.')}` : '';
    const advice = known === undefined || path.length > 0 ? '' : didYouMean(key, known);
    return { path: [...path, key], message: `there is no '${key}'${where}${advice}` };
  }
  const message = issue.code === 'invalid_key' ? issue.issues[0]!.message : issue.message;
  return { path, message: `${path.join('.') || 'it'} cannot be used: ${message}` };
}

/** Returns the issue of the union member that matched furthest, which is the most informative. */
function deepest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue;
  const found = issue.errors
    .flatMap((branch) => branch.slice(0, 1))
    .map((inner) => deepest({ ...inner, path: [...issue.path, ...inner.path] }))
    .filter(({ code, path }) => code === 'unrecognized_keys' || path.length > issue.path.length);
  const [first] = found.sort((a, b) => b.path.length - a.path.length);
  return first ?? issue;
}

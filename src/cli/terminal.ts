/** Output of a command: standard output and error, or a test's own. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/**
 * Output of a command: whole lines, and at a terminal a status line below them that is updated in place. New lines appear
 * above it.
 */
export class Terminal {
  readonly #out: Output;
  readonly #err: Output;
  #live = '';

  constructor(out: Output, err: Output) {
    this.#out = out;
    this.#err = err;
  }

  /** True for a terminal, where a status line makes sense. */
  get interactive(): boolean {
    return this.#out.isTTY === true;
  }

  /** Prints a line of the result. */
  say(line: string): void {
    this.#above(() => this.#out.write(`${line}\n`));
  }

  /** Prints an object as a line of JSON. */
  json(value: unknown): void {
    this.say(JSON.stringify(value));
  }

  /** Prints a line on standard error: errors and warnings. */
  warn(line: string): void {
    this.#above(() => this.#err.write(`${line}\n`));
  }

  /** Updates the status line; does nothing without a terminal. An empty text removes it. */
  live(line: string): void {
    if (!this.interactive) return;
    this.#clear();
    this.#live = cut(line, (this.#out.columns || 80) - 1);
    this.#out.write(this.#live);
  }

  #above(write: () => void): void {
    const live = this.#live;
    this.#clear();
    write();
    if (live === '') return;
    this.#live = live;
    this.#out.write(live);
  }

  #clear(): void {
    if (this.#live !== '') this.#out.write('\r\x1b[2K');
    this.#live = '';
  }
}

/** Returns a text without control characters: an avatar's message must not be able to move the cursor. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Formats seconds with two decimals: `4.41 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

/** Aligns rows as columns, the first row being the heading. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, width(cell))));
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(widths[column]! - width(cell)))
      .join('  ')
      .trimEnd(),
  );
}

/** Returns the number of columns of a text in a terminal: East Asian characters take two. */
function width(text: string): number {
  let columns = 0;
  for (const character of text) columns += WIDE.test(character) ? 2 : 1;
  return columns;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

function cut(text: string, columns: number): string {
  let line = '';
  let used = 0;
  for (const character of text) {
    used += width(character);
    if (used > columns) break;
    line += character;
  }
  return line;
}

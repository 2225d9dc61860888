/** Action of a tag in a text, at its position as heard. */
export interface TagAction {
  /**
   * Command lines for the agent. `{1}`, `{2}`… are the tag's words, `{args}` all of them, `{name}` its name.
   */
  readonly commands?: readonly string[] | undefined;
  /** Silence, in milliseconds. */
  readonly pauseMs?: number | undefined;
}

/** Tags by name, as in a configuration: a command line, several, or a whole action. */
export type TagTable = Readonly<Record<string, string | readonly string[] | TagAction>>;

/**
 * Treatment of `[word]` when the table does not know it. Numbers such as `[1]` and Markdown links are not
 * tags.
 */
export type UnknownTags = 'speak' | 'drop';

/** A tag found in a text. */
export interface Tag {
  readonly name: string;
  /** Words after the name. */
  readonly args: readonly string[];
  readonly commands: readonly string[];
  readonly pauseMs: number;
}

/** A piece of a text with tags: text to speak, or a tag. */
export type TaggedPiece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tag'; readonly tag: Tag }
  | { readonly kind: 'dropped'; readonly text: string };

/** Maximum length of a tag; a bracket not closed within it is not a tag. */
const MAX_TAG_CHARS = 100;
const MAX_PAUSE_MS = 10_000;
const USUAL_PAUSE_MS = 500;
const TAG = /^\[\s*(\p{L}[\p{L}\p{N}_-]{0,31})((?:[\s:,=]+[^\s\]:,=]+)*)\s*\]$/u;

/**
 * Extracts tags from a text that comes in pieces; a tag may be split anywhere. It works character by
 * character, so every chunking gives the same result. `\[` is a plain bracket. `[pause 500]` is always known.
 */
export class TagScanner {
  readonly #table: ReadonlyMap<string, TagAction>;
  readonly #unknown: UnknownTags;
  readonly #variables: Readonly<Record<string, string>>;
  /** Incomplete tag, from its bracket on. */
  #tag = '';
  #escaped = false;
  /** A whole tag that the table does not know: a `(` after it makes it a link. */
  #unsure = '';
  #text = '';
  #out: TaggedPiece[] = [];

  /**
   * @param options.unknown default: unknown tags are dropped and reported
   * @param options.variables additional placeholders of commands: `{ model: 'mei' }` fills `{model}`
   */
  constructor(
    table: TagTable = {},
    options: {
      readonly unknown?: UnknownTags | undefined;
      readonly variables?: Readonly<Record<string, string>> | undefined;
    } = {},
  ) {
    this.#unknown = options.unknown ?? 'drop';
    this.#variables = options.variables ?? {};
    this.#table = new Map(
      Object.entries(table).map(([name, action]) => [name.toLowerCase(), actionOf(action)]),
    );
  }

  /** Takes the next piece of text. @returns the pieces that are now certain, in order */
  push(text: string): TaggedPiece[] {
    for (const character of text) this.#step(character);
    return this.#take();
  }

  /** Ends the text or handles a pause: an incomplete tag is text. @returns the rest */
  flush(): TaggedPiece[] {
    this.#settleUnsure(false);
    this.#text += (this.#escaped ? '\\' : '') + this.#tag;
    this.#escaped = false;
    this.#tag = '';
    return this.#take();
  }

  #take(): TaggedPiece[] {
    this.#flushText();
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #step(character: string): void {
    if (this.#unsure) this.#settleUnsure(character === '(');
    if (this.#tag) return this.#inTag(character);
    if (this.#escaped) {
      this.#escaped = false;
      this.#text += character === '[' || character === ']' ? character : `\\${character}`;
    } else if (character === '\\') {
      this.#escaped = true;
    } else if (character === '[') {
      this.#tag = '[';
    } else {
      this.#text += character;
    }
  }

  #inTag(character: string): void {
    if (character === '[') {
      this.#text += this.#tag;
      this.#tag = '[';
      return;
    }
    this.#tag += character;
    if (character === ']') this.#close();
    else if (character === '\n' || this.#tag.length > MAX_TAG_CHARS) {
      this.#text += this.#tag;
      this.#tag = '';
    }
  }

  #close(): void {
    const whole = this.#tag;
    this.#tag = '';
    const match = TAG.exec(whole);
    if (!match) {
      this.#text += whole;
      return;
    }
    const name = match[1]!.toLowerCase();
    const args = match[2]!.split(/[\s:,=]+/).filter((word) => word !== '');
    const action = this.#table.get(name) ?? builtIn(name, args);
    if (!action) {
      this.#unsure = whole;
      return;
    }
    this.#flushText();
    this.#out.push({ kind: 'tag', tag: this.#tagOf(name, args.map(safe), action) });
  }

  #tagOf(name: string, args: readonly string[], { commands = [], pauseMs = 0 }: TagAction): Tag {
    const fill = (line: string): string =>
      line.replace(/\{(\w+)\}/g, (whole, key: string) => {
        if (key === 'name') return name;
        if (key === 'args') return args.join(' ');
        if (/^\d$/.test(key)) return args[Number(key) - 1] ?? '';
        return this.#variables[key] ?? whole;
      });
    return {
      name,
      args,
      commands: commands.map(fill),
      pauseMs: Math.min(MAX_PAUSE_MS, Math.max(0, pauseMs)),
    };
  }

  #settleUnsure(isLink: boolean): void {
    const whole = this.#unsure;
    if (!whole) return;
    this.#unsure = '';
    if (isLink || this.#unknown === 'speak') {
      this.#text += whole;
      return;
    }
    this.#flushText();
    this.#out.push({ kind: 'dropped', text: whole });
  }

  #flushText(): void {
    if (this.#text) this.#out.push({ kind: 'text', text: this.#text });
    this.#text = '';
  }
}

function actionOf(action: TagTable[string]): TagAction {
  if (typeof action === 'string') return { commands: [action] };
  return isList(action) ? { commands: action } : action;
}

function isList(action: readonly string[] | TagAction): action is readonly string[] {
  return Array.isArray(action);
}

function builtIn(name: string, args: readonly string[]): TagAction | undefined {
  if (name !== 'pause') return undefined;
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(args[0] ?? '') ?? [];
  if (args.length > 0 && count === undefined) return undefined;
  const ms = count === undefined ? USUAL_PAUSE_MS : Number(count) * (unit === 's' ? 1000 : 1);
  return { pauseMs: Math.min(MAX_PAUSE_MS, ms) };
}

/** Escapes a word of a tag, so that a model's output cannot add an argument or a line to the command. */
function safe(word: string): string {
  return word.replace(/[|\r\n]/g, '');
}

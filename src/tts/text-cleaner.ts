import { decodeHTML } from 'entities';
import { isParenthesisDirection, isStarDirection } from './stage-directions.js';

/** Parts of a text that are not to be spoken. */
export const SKIP_KINDS = ['code', 'think', 'table', 'direction'] as const;
/** One of {@link SKIP_KINDS}: code blocks, reasoning in tags, tables, stage directions. */
export type SkipKind = (typeof SKIP_KINDS)[number];

/** A piece of a cleaned text, in order. */
export type CleanedPiece<Token> =
  | { readonly kind: 'text'; readonly text: string }
  /** `<break time="500ms"/>`. */
  | { readonly kind: 'pause'; readonly ms: number }
  /** A part that is not spoken; `text` holds its first characters. */
  | { readonly kind: 'skipped'; readonly what: SkipKind; readonly text: string }
  /** A tag of SSML or of an unknown language that was left out, by its name; its text is spoken. */
  | { readonly kind: 'ignored'; readonly tag: string }
  /** Passed through at its place. */
  | { readonly kind: 'token'; readonly token: Token };

/** Options of a {@link TextCleaner}. */
export interface CleanerOptions {
  /** Parts to leave out; all of {@link SKIP_KINDS} by default. */
  readonly skip?: readonly SkipKind[] | undefined;
  /** Remove control characters and nothing else. */
  readonly verbatim?: boolean | undefined;
}

/** Bounds of what is held until it is decided, in UTF-16 units. What is longer is plain text. */
const MAX_LINE = 2000;
const MAX_LINE_HEAD = 80;
const MAX_TAG = 500;
const MAX_LINK = 1000;
const MAX_STAR_SPAN = 100;
const MAX_PARENTHESIS = 40;
const MAX_ADDRESS = 2000;
const MAX_EXCERPT = 60;
const MAX_BREAK_MS = 10_000;
/** Input is worked on in slices of this size, so that putting a link's text in its place stays cheap. */
const SLICE = 2048;

/** Everything that no engine can say: C0 and C1 controls, marks of direction, invisible and private characters. */
const CONTROLS =
  /[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]|\p{Cs}|[\u{f0000}-\u{10ffff}]/gu;
const NEWLINES = /\r\n?|[\u000b\u000c\u0085\u2028\u2029]/g;
/** ECMA-48: CSI, OSC and the other strings, and two-character sequences. */
const ESCAPES =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\u0007\u001b]{0,500}(?:\u0007|\u001b\\)|[ -/]*[0-~])/g;
const ESCAPE_START = /\u001b(?:\[[0-?]*[ -/]*|[\]P^_X][^\u0007\u001b]{0,500}\u001b?|[ -/]*)$/;
const MAX_ESCAPE = 600;

const PLAIN = /(?:(?!https?:\/\/|www\.)[^\n\\*_~`[\]!<&(（◁])+/iy;
/** The start of an address at the end of what has come. */
const ADDRESS_START = /(?<![a-z0-9])(?:h|ht|htt|https?|https?:|https?:\/|w|ww|www)$/i;
const ADDRESS = /(?:https?:\/\/(?:www\.)?|www\.)([^\s/?#「」（）<>"、。）]*)[^\s「」（）、。<>"）]*/iy;
const LINE_HEAD = /[^\n|<.!?。！？,、，]{0,80}/y;
const INDENT = /[ \t\u3000]*/y;
const FENCE = /(`{3,}|~{3,})([^\n]*)(?:\n|$)/y;
const FENCE_START = /^(?:`{1,2}|~{1,2}|(?:`{3,}|~{3,})[^\n`]*)$/;
const HEADING = /#{1,6}(?=[ \t\n]|$)[ \t]*/y;
const RULE = /([-*_=])(?:[ \t]*\1)*[ \t]*/y;
const BULLET = /(?:[-*+][ \t]+|[•・‣▪][ \t\u3000]*|[●○◆◇■□][ \t\u3000]+)(?:\[[ xX]\][ \t]+)?/y;
const DELIMITER_ROW = /^\|?:?-+:?(?:\|:?-+:?)*\|?$/;
const LINK =
  /\[((?:[^[\]\\\n]|\\.){0,500})\]\((?:<[^<>\n]{0,500}>|(?:[^\s()<>]|\([^\s()]{0,200}\)){0,1000})(?:[ \t]+(?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))?[ \t]*\)/y;
const LINK_TARGET = /\]\((?:[^\s()<>]|\([^\s()]{0,200}\)){0,1000}(?:[ \t]+"[^"\n]{0,300}")?\)/y;
const REFERENCE = /\[((?:[^[\]\\\n]|\\.){1,500})\]\[(?:\d{1,4})?\]/y;
const DEFINITION = /\[[^\]\n]{1,100}\]:[ \t]*<?(?:https?:\/\/|\/|#|mailto:)[^\n]{0,1000}(?:\n|$)/y;
const FOOTNOTE = /\[\^[^\]\s]{1,40}\]:?/y;
const ENTITY = /&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,31});/iy;
const ENTITY_START = /&(?:#(?:\d{0,7}|x[\da-f]{0,6})|[a-z][a-z\d]{0,31}|)$/i;
const AUTOLINK = /<(?:mailto:)?([a-z][^\s<>]{0,400})>/iy;
const TAG =
  /<(\/?)([a-z][\w:.-]{0,60})((?:\s+[\w:.@-]{1,60}(?:\s*=\s*(?:"[^"<>]{0,400}"|'[^'<>]{0,400}'|[^\s"'=<>`]{1,200}))?)*)\s*(\/?)>/iy;
const DECLARATION = /<(?:![a-z[][^<>]{0,400}|\?[^<>]{0,400})>/iy;
const COMMENT = /<!--/y;
const HARMONY = /<\|(channel|start)\|>\s*(\w{1,30})?|<\|\w{1,30}\|>/y;
const TAG_START = /<(?:[a-z/!?|][^<>]{0,500})?$/i;
const KIMI = /◁(\/?)think▷/y;

const REASONING =
  /^(?:think|thinking|thought|thoughts|reason|reasoning|reflection|reflect|analysis|scratchpad|antthinking|seed:think|inner_monologue|chain_of_thought|cot)$/i;
const SSML =
  /^(?:speak|prosody|say-as|emphasis|voice|lang|phoneme|sub|audio|mark|w|token|par|seq|media|desc|bookmark|lexicon|metadata|lookup)$|:/i;
const BLOCK =
  /^(?:address|article|aside|blockquote|body|center|dd|details|dialog|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|head|header|hr|html|li|main|nav|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|title|tr|ul)$/i;
const INLINE =
  /^(?:a|abbr|b|bdi|bdo|big|br|button|cite|code|data|del|dfn|em|font|i|img|input|ins|kbd|label|link|mark|meta|nobr|q|rb|rbc|ruby|s|samp|select|small|span|strike|strong|sub|sup|time|tt|u|var|wbr|option|textarea|video|picture|source|svg|answer|response|output|final|final_answer)$/i;
/** Elements whose content is never text. */
const SILENT = /^(?:script|style|rt|rp|template|noscript|svg|head)$/i;
/** SSML §3.2.3, as lengths in the usual engines. */
const BREAK_MS: Readonly<Record<string, number>> = {
  ...{ none: 0, 'x-weak': 100, weak: 250, medium: 500, strong: 750, 'x-strong': 1000 },
};

/** A part of the text that ends at a pattern. */
interface Region {
  readonly what: SkipKind | undefined;
  /** Finds the end, or an inner start when its first group matched. Global. */
  readonly end: RegExp;
  depth: number;
  excerpt: string;
}

/**
 * Takes Markdown, HTML, SSML and control characters out of a text that comes in pieces, and the parts that are not to be
 * spoken. A mark is taken out where it stands, without waiting for its counterpart, so that the first sentence can be
 * spoken at once. It holds at most some hundred characters, and every chunking of a text gives the same.
 */
export class TextCleaner<Token = never> {
  readonly #skip: ReadonlySet<SkipKind>;
  readonly #verbatim: boolean;
  #buffer = '';
  #at = 0;
  /** Input positions of tokens that wait, counted like `#taken`. */
  readonly #tokens: { readonly at: number; readonly token: Token }[] = [];
  /** Input characters taken into the buffer so far. */
  #taken = 0;
  #carry = '';
  #region: Region | undefined;
  #fence: { readonly close: RegExp; excerpt: string } | undefined;
  #table: string | undefined;
  #atLineStart = true;
  /** A heading or an item of a list: its line ends a sentence however long it is. */
  #blockLine = false;
  #underscoreOpen = false;
  #nestedLink = false;
  /** The last characters given out. */
  #tail = '';
  #text = '';
  #out: CleanedPiece<Token>[] = [];
  #steps = 0;

  constructor(options: CleanerOptions = {}) {
    this.#skip = new Set(options.skip ?? SKIP_KINDS);
    this.#verbatim = options.verbatim ?? false;
  }

  /** True while something that may have to be spoken is held. */
  get holdsText(): boolean {
    return !this.#region && !this.#fence && /[\p{L}\p{N}]/u.test(this.#buffer.slice(this.#at));
  }

  /** Decisions so far: a measure of the work that does not depend on the machine. */
  get steps(): number {
    return this.#steps;
  }

  /** Takes the next piece of text. @returns what became certain, in order */
  push(text: string): CleanedPiece<Token>[] {
    const whole = this.#carry + text;
    // Half an escape sequence, half a line end, or half a character.
    const tail = whole.slice(-MAX_ESCAPE);
    const begun = tail.search(ESCAPE_START);
    const last = whole.charCodeAt(whole.length - 1);
    const half = last === 0x0d || (last >= 0xd800 && last <= 0xdbff) ? 1 : 0;
    const held = begun === -1 ? half : tail.length - begun;
    this.#carry = whole.slice(whole.length - held);
    const clean = withoutControls(whole.slice(0, whole.length - held));
    for (let at = 0; at < clean.length; at += SLICE) {
      const slice = clean.slice(at, at + SLICE);
      this.#buffer += slice;
      this.#taken += slice.length;
      this.#run(false);
    }
    return this.#take();
  }

  /** Passes something through that stands between two pieces of text. */
  pass(token: Token): CleanedPiece<Token>[] {
    this.#tokens.push({ at: this.#taken, token });
    this.#releaseTokens();
    return this.#take();
  }

  /**
   * The writer paused for a moment.
   * @returns what is held when it is a mark behind a sentence, which then ends
   */
  settle(): CleanedPiece<Token>[] {
    if (/^(?:[*_~`]+|!)$/.test(this.#buffer.slice(this.#at))) this.#run(true);
    return this.#take();
  }

  /** The writer paused for long: what is held is taken as it stands. */
  drain(): CleanedPiece<Token>[] {
    this.#run(true);
    return this.#take();
  }

  /** The text has ended. @returns the rest */
  flush(): CleanedPiece<Token>[] {
    if (this.#carry === '\r') {
      this.#buffer += '\n';
      this.#taken += 1;
    }
    this.#carry = '';
    this.#run(true);
    this.#endTable();
    if (this.#fence) this.#skipped('code', this.#fence.excerpt);
    if (this.#region) this.#skipped(this.#region.what, this.#region.excerpt);
    this.#fence = undefined;
    this.#region = undefined;
    return this.#take();
  }

  #take(): CleanedPiece<Token>[] {
    this.#flushText();
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #flushText(): void {
    if (this.#text) this.#out.push({ kind: 'text', text: this.#text });
    this.#text = '';
  }

  #add(piece: CleanedPiece<Token>): void {
    this.#flushText();
    this.#out.push(piece);
  }

  #emit(text: string): void {
    if (!text) return;
    // Several blanks are one, also where something was taken out between them.
    const single = text.replace(/[ \t]{2,}/g, ' ');
    const joined = /(?:^|[ \t\n])$/.test(this.#tail) ? single.replace(/^[ \t]/, '') : single;
    this.#text += joined;
    this.#tail = (this.#tail + joined).slice(-16);
  }

  #newline(): void {
    if (!this.#tail.endsWith('\n\n')) this.#emit('\n');
  }

  #skipped(what: SkipKind | undefined, text: string): void {
    if (what)
      this.#add({
        kind: 'skipped',
        what,
        text: text
          .replace(/<[^<>]*>/g, ' ')
          .trim()
          .slice(0, MAX_EXCERPT),
      });
  }

  #releaseTokens(): void {
    const consumed = this.#taken - (this.#buffer.length - this.#at);
    while (this.#tokens[0] && this.#tokens[0].at <= consumed) {
      this.#add({ kind: 'token', token: this.#tokens.shift()!.token });
    }
  }

  #run(final: boolean): void {
    while (this.#at < this.#buffer.length) {
      this.#steps++;
      const used = this.#step(final);
      if (used === undefined) break;
      this.#at += used;
      if (this.#tokens.length > 0) this.#releaseTokens();
    }
    if (this.#at > 0) {
      this.#buffer = this.#buffer.slice(this.#at);
      this.#at = 0;
    }
  }

  /** @returns how many characters are done with; undefined when more must come first */
  #step(final: boolean): number | undefined {
    if (this.#verbatim) {
      this.#text += this.#buffer.slice(this.#at);
      return this.#buffer.length - this.#at;
    }
    if (this.#region) return this.#regionStep(this.#region, final);
    if (this.#fence) return this.#fenceStep(this.#fence, final);
    if (this.#atLineStart) return this.#lineStart(final);
    return this.#inline(final);
  }

  #match(pattern: RegExp, from = this.#at): RegExpExecArray | null {
    pattern.lastIndex = from;
    return pattern.exec(this.#buffer);
  }

  /** True when the whole rest of the buffer may be the start of something that a pattern describes. */
  #mayStart(pattern: RegExp, max: number, final: boolean): boolean {
    const length = this.#buffer.length - this.#at;
    return !final && length <= max && pattern.test(this.#buffer.slice(this.#at));
  }

  #regionStep(region: Region, final: boolean): number | undefined {
    const found = this.#match(region.end);
    const keep = (text: string): void => {
      if (region.excerpt.length < MAX_EXCERPT) region.excerpt += text.slice(0, MAX_EXCERPT);
    };
    if (found) {
      keep(this.#buffer.slice(this.#at, found.index));
      region.depth += found[1] === undefined ? -1 : 1;
      if (region.depth === 0) {
        this.#region = undefined;
        this.#skipped(region.what, region.excerpt);
      }
      return found.index + found[0].length - this.#at;
    }
    const length = this.#buffer.length - this.#at;
    // The end may have begun.
    const begun = final ? -1 : this.#buffer.slice(-MAX_PARENTHESIS).search(/[<◁\-][^<◁]*$/);
    const done =
      begun === -1 ? length : Math.max(0, length - Math.min(MAX_PARENTHESIS, this.#buffer.length) + begun);
    keep(this.#buffer.slice(this.#at, this.#at + done));
    return done === 0 ? undefined : done;
  }

  #enter(what: SkipKind | undefined, end: RegExp): void {
    this.#region = { what, end, depth: 1, excerpt: '' };
  }

  #fenceStep(fence: { readonly close: RegExp; excerpt: string }, final: boolean): number | undefined {
    const end = this.#buffer.indexOf('\n', this.#at);
    if (end === -1 && !final && this.#buffer.length - this.#at < MAX_TAG) return undefined;
    const line = this.#buffer.slice(this.#at, end === -1 ? undefined : end);
    if (fence.close.test(line)) {
      this.#fence = undefined;
      if (this.#skip.has('code')) this.#skipped('code', fence.excerpt);
      this.#newline();
      this.#atLineStart = true;
    } else if (this.#skip.has('code')) {
      if (fence.excerpt.length < MAX_EXCERPT) fence.excerpt += `${line.slice(0, MAX_EXCERPT)}\n`;
    } else {
      this.#emit(`${line}\n`);
    }
    return line.length + (end === -1 ? 0 : 1);
  }

  /** Judges what a line begins with. */
  #lineStart(final: boolean): number | undefined {
    const indent = this.#match(INDENT)![0].length;
    const at = this.#at + indent;
    const first = this.#buffer.charAt(at);
    if (first === '') {
      if (!final && indent < MAX_LINE_HEAD) return undefined;
      this.#emit(' ');
      return indent;
    }
    if (first === '\n') {
      this.#endTable();
      this.#underscoreOpen = false;
      this.#newline();
      return indent + 1;
    }
    const lineEnd = this.#buffer.indexOf('\n', at);
    const whole = lineEnd !== -1 || final;
    const lengthLeft = this.#buffer.length - at;
    const line = this.#buffer.slice(at, lineEnd === -1 ? at + MAX_LINE : lineEnd);
    const lineLength = indent + line.length + (lineEnd === -1 ? 0 : 1);
    if (this.#table !== undefined || first === '|') {
      // A row of a table is judged whole.
      if (!whole && lengthLeft < MAX_LINE && this.#mayBeRow(line)) return undefined;
      if (whole && this.#isRow(line)) return this.#row(line, lineLength);
      this.#endTable();
    }
    if (first === '`' || first === '~') {
      const fence = this.#match(FENCE, at);
      if (!whole && lengthLeft < MAX_TAG && FENCE_START.test(line)) return undefined;
      if (fence && !(first === '`' && fence[2]!.includes('`'))) {
        const close = new RegExp(`^[ \\t>]*\\${first}{${fence[1]!.length},}[ \\t]*$`);
        this.#fence = { close, excerpt: '' };
        this.#newline();
        return lineLength;
      }
    } else if (first === '#') {
      if (!whole && /^#{1,6}$/.test(line)) return undefined;
      const heading = this.#match(HEADING, at);
      if (heading) return this.#beginBlock(indent + heading[0].length);
    } else if (first === '>') {
      this.#emit('');
      return indent + 1;
    } else if (/[-*_=]/.test(first)) {
      const rule = this.#match(RULE, at)!;
      const reachesEnd = rule[0].length === lengthLeft;
      if (reachesEnd && !final && rule[0].length < MAX_TAG) return undefined;
      const marks = rule[0].replaceAll(/[ \t]/g, '').length;
      const isWhole = reachesEnd || this.#buffer.charAt(at + rule[0].length) === '\n';
      if ((isWhole && marks >= (/[-=]/.test(first) ? 2 : 3)) || rule[0].length >= MAX_TAG) {
        this.#newline();
        return indent + rule[0].length;
      }
    }
    const bullet = this.#match(BULLET, at);
    if (bullet) {
      // A box of a task may follow.
      if (!whole && bullet[0].length + 4 > lengthLeft && /(?:^|[ \t])\[?[ xX]?\]?$/.test(line))
        return undefined;
      return this.#beginBlock(indent + bullet[0].length);
    }
    if (first === '[') {
      const definition = this.#match(DEFINITION, at);
      if (definition && whole) return indent + definition[0].length;
      if (!whole && lengthLeft < MAX_LINK && /^\[[^\]\n]{0,100}(?:\](?::[^\n]*)?)?$/.test(line))
        return undefined;
    }
    // A table may begin without a bar: its second line tells.
    const head = this.#match(LINE_HEAD, at)!;
    const stop = this.#buffer.charAt(at + head[0].length);
    if (stop === '' && !final && head[0].length < MAX_LINE_HEAD) return undefined;
    if (stop === '|') {
      if (!whole && lengthLeft < MAX_LINE) return undefined;
      if (lineEnd !== -1) {
        const below = this.#buffer.indexOf('\n', lineEnd + 1);
        const next = this.#buffer.slice(lineEnd + 1, below === -1 ? lineEnd + MAX_LINE : below);
        if (below === -1 && !final && next.length < MAX_LINE && /^[ \t|:-]*$/.test(next)) return undefined;
        if (next.includes('|') && isDelimiterRow(next)) return this.#row(line, lineLength);
      }
    }
    this.#atLineStart = false;
    if (indent > 0) this.#emit(' ');
    return indent;
  }

  #beginBlock(length: number): number {
    // What stands above has ended, however long its line is.
    if (this.#tail !== '' && !this.#tail.endsWith('\n\n')) this.#emit('\n');
    this.#blockLine = true;
    this.#atLineStart = false;
    return length;
  }

  #mayBeRow(line: string): boolean {
    return line.startsWith('|') || line.includes('|') || line.length < MAX_LINE_HEAD;
  }

  #isRow(line: string): boolean {
    const bars = line.replaceAll('\\|', '').split('|').length - 1;
    return line.startsWith('|') ? bars >= 2 : this.#table !== undefined && bars >= 1;
  }

  #row(line: string, length: number): number {
    if (this.#skip.has('table')) {
      this.#table =
        (this.#table ?? '') +
        (this.#table === undefined || this.#table.length < MAX_EXCERPT ? `${line} ` : '');
      return length;
    }
    this.#table = '';
    if (!isDelimiterRow(line)) {
      const cells = line.replace(/^[ \t]*\||\|[ \t]*$/g, '').split(/[ \t]*(?<!\\)\|[ \t]*/);
      this.#emit(`${cells.map((cell) => cell.replace(/[*_`~]+/g, '').trim()).join(', ')}\n\n`);
    }
    return length;
  }

  #endTable(): void {
    if (this.#table === undefined) return;
    const excerpt = this.#table;
    this.#table = undefined;
    if (this.#skip.has('table')) {
      this.#skipped('table', excerpt);
      this.#newline();
    }
  }

  #inline(final: boolean): number | undefined {
    const character = this.#buffer.charAt(this.#at);
    switch (character) {
      case '\n':
        if (this.#blockLine && !this.#tail.endsWith('\n')) this.#emit('\n');
        this.#emit('\n');
        this.#blockLine = false;
        this.#atLineStart = true;
        return 1;
      case '\\':
        return this.#backslash(final);
      case '*':
      case '_':
      case '~':
      case '`':
        return this.#mark(character, final);
      case '[':
        return this.#bracket(final);
      case ']':
        return this.#closingBracket(final);
      case '!':
        return this.#exclamation(final);
      case '<':
        return this.#angle(final);
      case '◁':
        return this.#triangle(final);
      case '&':
        return this.#entity(final);
      case '(':
      case '（':
        return this.#parenthesis(final);
      default:
        return this.#plain(final);
    }
  }

  #plain(final: boolean): number | undefined {
    const run = this.#match(PLAIN)?.[0];
    if (run === undefined) return this.#address(final);
    const reachesEnd = this.#at + run.length === this.#buffer.length;
    const begun = reachesEnd && !final ? run.slice(-9).search(ADDRESS_START) : -1;
    const length = begun === -1 ? run.length : run.length - Math.min(9, run.length) + begun;
    if (length === 0) return undefined;
    this.#emit(run.slice(0, length));
    return length;
  }

  /** ◁think▷, as Kimi writes it. */
  #triangle(final: boolean): number | undefined {
    const tag = this.#match(KIMI);
    if (tag) return this.#reasoning('◁think▷', tag[1] === '/', tag[0].length);
    if (this.#mayStart(/^◁\/?t?h?i?n?k?$/, 8, final)) return undefined;
    this.#emit('◁');
    return 1;
  }

  #address(final: boolean): number | undefined {
    if (/[a-z0-9]$/i.test(this.#tail)) {
      this.#emit(this.#buffer.charAt(this.#at));
      return 1;
    }
    const found = this.#match(ADDRESS)!;
    const reachesEnd = this.#at + found[0].length === this.#buffer.length;
    if (reachesEnd && !final && found[0].length < MAX_ADDRESS) return undefined;
    // A sentence's own marks behind an address are not part of it.
    const trail = /[.,;:!?)\]'"*_~`]+$/.exec(found[0])?.[0].length ?? 0;
    const host = found[1]!.replace(/[.,;:!?)\]'"*_~`]+$/, '');
    this.#emit(host);
    return Math.max(1, found[0].length - trail);
  }

  #backslash(final: boolean): number | undefined {
    const next = this.#buffer.charAt(this.#at + 1);
    if (next === '' && !final) return undefined;
    // Brackets are for the tags.
    if (next === '[' || next === ']') {
      this.#emit(`\\${next}`);
      return 2;
    }
    if (/[!-/:-@^-`{-~]/.test(next)) {
      this.#emit(next);
      return 2;
    }
    this.#emit('\\');
    return 1;
  }

  /** Emphasis and inline code: a mark beside a word is taken out, one between numbers or blanks is text. */
  #mark(mark: string, final: boolean): number | undefined {
    let end = this.#at + 1;
    while (end < this.#buffer.length && this.#buffer.charAt(end) === mark) end++;
    if (end === this.#buffer.length && !final) return undefined;
    const run = this.#buffer.slice(this.#at, end);
    if (mark === '`') return run.length;
    const before = this.#tail.at(-1) ?? '';
    const after = this.#buffer.charAt(end);
    if (mark === '*' && run.length === 1 && this.#skip.has('direction')) {
      const length = this.#direction(final);
      if (length !== 0) return length;
    }
    if (this.#isMark(mark, run.length, before, after)) {
      if (mark === '_') this.#underscoreOpen = /[\p{L}\p{N}]/u.test(after) && !/[\p{L}\p{N}]/u.test(before);
    } else {
      this.#emit(run);
    }
    return run.length;
  }

  #isMark(mark: string, count: number, before: string, after: string): boolean {
    const blankBefore = /^\s?$/.test(before);
    const blankAfter = /^\s?$/.test(after);
    if (blankBefore && blankAfter) return count >= 2 && mark !== '~' && (before === '' || after === '');
    if (mark === '~') return count >= 2;
    if (mark === '_') {
      const wordBefore = /[\p{L}\p{N}]/u.test(before);
      const wordAfter = /[\p{L}\p{N}]/u.test(after);
      if (wordBefore && wordAfter) return false;
      return wordAfter || this.#underscoreOpen || count >= 2;
    }
    if (/\d/.test(before) && /\d/.test(after)) return false;
    return count >= 2 || !(/[a-z0-9]/i.test(before) && /[a-z0-9]/i.test(after));
  }

  /** A stage direction in asterisks. @returns 0 when there is none */
  #direction(final: boolean): number | undefined {
    const end = this.#spanEnd('*', MAX_STAR_SPAN, final);
    if (end === undefined || end === -1) return end === undefined ? undefined : 0;
    const span = this.#buffer.slice(this.#at + 1, end);
    const next = this.#buffer.charAt(end + 1);
    if (next === '*' || span === '' || /^\s|\s$/.test(span)) return 0;
    const place = { startsSentence: this.#startsSentence(), next: next || undefined };
    if (!isStarDirection(span, place)) return 0;
    this.#skipped('direction', span);
    return end + 1 - this.#at;
  }

  #parenthesis(final: boolean): number | undefined {
    const open = this.#buffer.charAt(this.#at);
    if (this.#skip.has('direction')) {
      const end = this.#spanEnd(open === '(' ? ')' : '）', MAX_PARENTHESIS, final);
      if (end === undefined) return undefined;
      const span = this.#buffer.slice(this.#at + 1, end);
      if (end !== -1 && !/[(（]/.test(span)) {
        const next = this.#buffer.charAt(end + 1);
        if (
          isParenthesisDirection(span, { startsSentence: this.#startsSentence(), next: next || undefined })
        ) {
          this.#skipped('direction', span);
          // （笑） stands where a sentence ends.
          if (
            open === '（' &&
            /[^\s.!?。！？、，,…]$/.test(this.#tail) &&
            !/[\s.!?。！？、，,…）)」』]/.test(next)
          )
            this.#emit('\n');
          return end + 1 - this.#at;
        }
      }
    }
    this.#emit(open);
    return 1;
  }

  /**
   * Looks for the end of a short span on the same line, and one character behind it.
   * @returns -1 when there is none; undefined when more must come first
   */
  #spanEnd(mark: string, max: number, final: boolean): number | undefined {
    const limit = Math.min(this.#buffer.length, this.#at + 1 + max);
    for (let at = this.#at + 1; at < limit; at++) {
      const character = this.#buffer.charAt(at);
      if (character === '\n') return -1;
      // A whole sentence inside is no direction, and need not wait.
      if (mark === '*' && /[.!?]/.test(character) && /\s/.test(this.#buffer.charAt(at + 1))) return -1;
      if (mark === '*' && /[。！？]/.test(character) && at + 1 < limit && this.#buffer.charAt(at + 1) !== '*')
        return -1;
      if (mark !== '*' && /[(（]/.test(character)) return -1;
      if (character === mark) return at + 1 < this.#buffer.length || final ? at : undefined;
    }
    return final || limit === this.#at + 1 + max ? -1 : undefined;
  }

  #startsSentence(): boolean {
    return /(?:^|[.!?…。！？\n♪~〜])["'”’」』）)\]]*\s*$/u.test(this.#tail);
  }

  #bracket(final: boolean): number | undefined {
    const footnote = this.#match(FOOTNOTE);
    if (footnote) return footnote[0].length;
    // An image inside a link.
    if (this.#buffer.startsWith('[![', this.#at)) {
      this.#nestedLink = true;
      return 1;
    }
    const link = this.#match(LINK) ?? this.#match(REFERENCE);
    if (link) return this.#rebuffer(link[1]!, link[0].length);
    if (this.#mayStart(/^\[!?$|^\[(?:[^[\]\\\n]|\\.)*(?:\]|\]\[\d*|\]\([^\n]*)?$/, MAX_LINK, final))
      return undefined;
    this.#emit('[');
    return 1;
  }

  /** Puts the text of a link in the place of the link, to be cleaned itself. */
  #rebuffer(label: string, length: number): number {
    const rest = this.#buffer.slice(this.#at + length);
    this.#buffer = label + rest;
    this.#at = 0;
    return 0;
  }

  #closingBracket(final: boolean): number | undefined {
    if (this.#nestedLink) {
      const target = this.#match(LINK_TARGET);
      if (target) {
        this.#nestedLink = false;
        return target[0].length;
      }
      if (this.#mayStart(/^\](?:\([^\n]*)?$/, MAX_LINK, final)) return undefined;
      this.#nestedLink = false;
    }
    this.#emit(']');
    return 1;
  }

  #exclamation(final: boolean): number | undefined {
    const next = this.#buffer.charAt(this.#at + 1);
    if (next === '[') {
      if (this.#match(LINK, this.#at + 1)) return 1;
      if (this.#mayStart(/^!\[(?:[^[\]\\\n]|\\.)*(?:\]|\]\([^\n]*)?$/, MAX_LINK, final)) return undefined;
    } else if (next === '' && !final) {
      return undefined;
    }
    this.#emit('!');
    return 1;
  }

  #entity(final: boolean): number | undefined {
    const found = this.#match(ENTITY);
    if (found) {
      const text = decodeHTML(found[0])
        .replace(/\u00a0/g, ' ')
        .replace(CONTROLS, '');
      // A bracket that was written as an entity begins no tag.
      this.#emit(text === '[' || text === ']' ? `\\${text}` : text);
      return found[0].length;
    }
    if (this.#mayStart(ENTITY_START, 34, final)) return undefined;
    this.#emit('&');
    return 1;
  }

  #angle(final: boolean): number | undefined {
    const comment = this.#match(COMMENT);
    if (comment) {
      this.#enter(undefined, /-->/g);
      return comment[0].length;
    }
    const harmony = this.#match(HARMONY);
    if (harmony) {
      const reachesEnd = this.#at + harmony[0].length === this.#buffer.length;
      if (harmony[1] !== undefined && reachesEnd && !final) return undefined;
      if (
        harmony[1] === 'channel' &&
        /^(?:analysis|commentary)$/i.test(harmony[2] ?? '') &&
        this.#skip.has('think')
      )
        this.#enter('think', /<\|(?:end|return|start|call)\|>/g);
      return harmony[0].length;
    }
    const tag = this.#match(TAG);
    if (tag) return this.#tag(tag[2]!, tag[1] === '/', tag[3]!, tag[4] === '/', tag[0].length);
    const declaration = this.#match(DECLARATION);
    if (declaration) return declaration[0].length;
    const link = this.#match(AUTOLINK);
    if (link && /[:@.]/.test(link[1]!)) return this.#rebuffer(link[1]!, link[0].length);
    if (this.#mayStart(TAG_START, MAX_TAG, final)) return undefined;
    this.#emit('<');
    return 1;
  }

  #tag(name: string, closes: boolean, attributes: string, empty: boolean, length: number): number {
    // `<example.org>` is meant as a link.
    if (name.includes('.') && attributes === '' && !closes && !empty) return this.#rebuffer(name, length);
    if (REASONING.test(name)) return empty ? length : this.#reasoning(name, closes, length);
    if (/^break$/i.test(name)) {
      const ms = breakMs(attributes);
      if (ms > 0) this.#add({ kind: 'pause', ms });
      return length;
    }
    const skips = /^pre$/i.test(name) ? 'code' : /^table$/i.test(name) ? 'table' : undefined;
    if (!closes && !empty && (SILENT.test(name) || (skips && this.#skip.has(skips)))) {
      this.#enter(skips, new RegExp(`</${name}\\s*>|(<${name}(?:\\s[^<>]{0,400})?>)`, 'gi'));
      if (skips) this.#newline();
      return length;
    }
    if (/^br$/i.test(name) || BLOCK.test(name)) {
      this.#newline();
      if (/^(?:li|h[1-6]|t[dhr]|p)$/i.test(name)) this.#newline();
    } else if (SSML.test(name) && !(/^(?:sub|mark)$/i.test(name) && attributes === '' && !empty)) {
      if (!closes) this.#add({ kind: 'ignored', tag: name });
    } else if (!INLINE.test(name) && !closes) {
      this.#add({ kind: 'ignored', tag: name });
    }
    return length;
  }

  #reasoning(name: string, closes: boolean, length: number): number {
    if (closes || !this.#skip.has('think')) return length;
    const [open, close] =
      name === '◁think▷' ? ['◁think▷', '◁/think▷'] : [`<${name}(?:\\s[^<>]{0,200})?>`, `</${name}\\s*>`];
    this.#enter('think', new RegExp(`${close}|(${open})`, 'gi'));
    return length;
  }
}

/** True for the second line of a table: `|---|:-:|`. */
function isDelimiterRow(line: string): boolean {
  return DELIMITER_ROW.test(line.replace(/[ \t]/g, ''));
}

/** Length of an SSML pause. */
function breakMs(attributes: string): number {
  const [, count, unit] = /\btime\s*=\s*["']?\+?(\d*\.?\d+)(ms|s)\b/i.exec(attributes) ?? [];
  if (count !== undefined)
    return Math.min(MAX_BREAK_MS, Number(count) * (unit!.toLowerCase() === 's' ? 1000 : 1));
  const strength = /\bstrength\s*=\s*["']?([\w-]+)/i.exec(attributes)?.[1]?.toLowerCase() ?? 'medium';
  return BREAK_MS[strength] ?? BREAK_MS['medium']!;
}

/** Removes what no engine can say from a short text. */
export function withoutControls(text: string): string {
  return text.replace(ESCAPES, '').replace(NEWLINES, '\n').replace(CONTROLS, '');
}

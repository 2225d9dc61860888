import { decodeHTML } from 'entities';
import { undecidedLength, withoutControls } from './control-characters.js';
import { isDelimiterRow, judgeLineStart } from './markdown-lines.js';
import { breakMs, tagMeaning } from './markup.js';
import { isParenthesisDirection, isStarDirection } from './stage-directions.js';

/** Kinds of parts that are not spoken. */
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
  /** A tag of SSML or of unknown markup that was ignored, by its name; its text is spoken. */
  | { readonly kind: 'ignored'; readonly tag: string }
  /** A token, passed through at its position. */
  | { readonly kind: 'token'; readonly token: Token };

/** Options of a {@link TextCleaner}. */
export interface CleanerOptions {
  /** Parts to skip; default: all of {@link SKIP_KINDS}. */
  readonly skip?: readonly SkipKind[] | undefined;
  /** True removes control characters and nothing else. */
  readonly verbatim?: boolean | undefined;
}

/** Maximum length held until it is decided, in UTF-16 units. Anything longer is plain text. */
const MAX_TAG = 500;
const MAX_LINK = 1000;
const MAX_STAR_SPAN = 100;
const MAX_PARENTHESIS = 40;
const MAX_ADDRESS = 2000;
const MAX_EXCERPT = 60;
/** Size of the slices in which input is processed, so that replacing a link by its text stays cheap. */
const SLICE = 2048;

const PLAIN = /(?:(?!https?:\/\/|www\.)[^\n\\*_~`[\]!<&(（◁])+/iy;
/** Matches the start of an address at the end of the input. */
const ADDRESS_START = /(?<![a-z0-9])(?:h|ht|htt|https?|https?:|https?:\/|w|ww|www)$/i;
const ADDRESS = /(?:https?:\/\/(?:www\.)?|www\.)([^\s/?#「」（）<>"、。）]*)[^\s「」（）、。<>"）]*/iy;
const LINK =
  /\[((?:[^[\]\\\n]|\\.){0,500})\]\((?:<[^<>\n]{0,500}>|(?:[^\s()<>]|\([^\s()]{0,200}\)){0,1000})(?:[ \t]+(?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))?[ \t]*\)/y;
const LINK_TARGET = /\]\((?:[^\s()<>]|\([^\s()]{0,200}\)){0,1000}(?:[ \t]+"[^"\n]{0,300}")?\)/y;
const REFERENCE = /\[((?:[^[\]\\\n]|\\.){1,500})\]\[(?:\d{1,4})?\]/y;
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

/** A part of the text that ends at a pattern. */
interface Region {
  readonly what: SkipKind | undefined;
  /** Finds the end, or an inner start if its first group matched. Global. */
  readonly end: RegExp;
  depth: number;
  excerpt: string;
}

/**
 * Removes Markdown, HTML, SSML and control characters from a text that comes in pieces, and the parts that
 * are not spoken. A mark is removed without waiting for its counterpart, so that the first sentence can be
 * spoken at once. It holds at most some hundred characters, and every chunking of a text gives the same
 * result.
 */
export class TextCleaner<Token = never> {
  readonly #skip: ReadonlySet<SkipKind>;
  readonly #verbatim: boolean;
  #buffer = '';
  #at = 0;
  /** Input positions of waiting tokens, counted like `#taken`. */
  readonly #tokens: { readonly at: number; readonly token: Token }[] = [];
  /** Input characters taken into the buffer so far. */
  #taken = 0;
  #carry = '';
  #region: Region | undefined;
  #fence: { readonly close: RegExp; excerpt: string } | undefined;
  #table: string | undefined;
  #atLineStart = true;
  /** True in a heading or a list item, whose line always ends a sentence. */
  #blockLine = false;
  #underscoreOpen = false;
  #nestedLink = false;
  /** Last characters returned. */
  #tail = '';
  #text = '';
  #out: CleanedPiece<Token>[] = [];
  #steps = 0;

  constructor(options: CleanerOptions = {}) {
    this.#skip = new Set(options.skip ?? SKIP_KINDS);
    this.#verbatim = options.verbatim ?? false;
  }

  /** True while text is held that may have to be spoken. */
  get holdsText(): boolean {
    return !this.#region && !this.#fence && /[\p{L}\p{N}]/u.test(this.#buffer.slice(this.#at));
  }

  /** Number of decisions so far: a measure of work that does not depend on the machine. */
  get steps(): number {
    return this.#steps;
  }

  /** Takes the next piece of text. @returns the pieces that are now certain, in order */
  push(text: string): CleanedPiece<Token>[] {
    const whole = this.#carry + text;
    const held = undecidedLength(whole);
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

  /** Passes a token through between two pieces of text. */
  pass(token: Token): CleanedPiece<Token>[] {
    this.#tokens.push({ at: this.#taken, token });
    this.#releaseTokens();
    return this.#take();
  }

  /**
   * Handles a short pause of the writer.
   * @returns the held text when it is a mark after a sentence, which then ends
   */
  settle(): CleanedPiece<Token>[] {
    if (/^(?:[*_~`]+|!)$/.test(this.#buffer.slice(this.#at))) this.#run(true);
    return this.#take();
  }

  /** Handles a long pause of the writer: the held text is taken as it is. */
  drain(): CleanedPiece<Token>[] {
    this.#run(true);
    return this.#take();
  }

  /** Ends the text. @returns the rest */
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
    // Several blanks become one, also where something was removed between them.
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

  /** @returns the number of characters processed; undefined when more are needed */
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

  /** True when the whole rest of the buffer may be the start of a match of the pattern. */
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
    // The end pattern may have begun.
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

  /** Handles the beginning of a line. */
  #lineStart(final: boolean): number | undefined {
    const start = judgeLineStart(this.#buffer, this.#at, final, this.#table !== undefined);
    if (start.kind === 'wait') return undefined;
    if (start.kind === 'row') return this.#row(start.line, start.length);
    this.#endTable();
    switch (start.kind) {
      case 'blank':
        this.#underscoreOpen = false;
        this.#newline();
        break;
      case 'fence':
        this.#fence = { close: start.close, excerpt: '' };
        this.#newline();
        break;
      case 'block':
        // The text above has ended, however long its line is.
        if (this.#tail !== '' && !this.#tail.endsWith('\n\n')) this.#emit('\n');
        this.#blockLine = true;
        this.#atLineStart = false;
        break;
      case 'rule':
        this.#newline();
        break;
      case 'quote':
      case 'definition':
        break;
      case 'text':
        this.#atLineStart = false;
        if (start.length > 0) this.#emit(' ');
    }
    return start.length;
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

  /** Handles ◁think▷, the form that Kimi uses. */
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
    // Punctuation of the sentence after an address is not part of it.
    const trail = /[.,;:!?)\]'"*_~`]+$/.exec(found[0])?.[0].length ?? 0;
    const host = found[1]!.replace(/[.,;:!?)\]'"*_~`]+$/, '');
    this.#emit(host);
    return Math.max(1, found[0].length - trail);
  }

  #backslash(final: boolean): number | undefined {
    const next = this.#buffer.charAt(this.#at + 1);
    if (next === '' && !final) return undefined;
    // Brackets belong to tags.
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

  /**
   * Handles emphasis and inline code: a mark beside a word is removed, one between numbers or blanks is text.
   */
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

  /** Handles a stage direction in asterisks. @returns 0 when there is none */
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
          // （笑） comes at the end of a sentence.
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
   * Finds the end of a short span on the same line, with one more character after it.
   * @returns -1 when there is none; undefined when more text is needed
   */
  #spanEnd(mark: string, max: number, final: boolean): number | undefined {
    const limit = Math.min(this.#buffer.length, this.#at + 1 + max);
    for (let at = this.#at + 1; at < limit; at++) {
      const character = this.#buffer.charAt(at);
      if (character === '\n') return -1;
      // A span with a whole sentence is no direction, so it need not wait.
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

  /** Replaces a link by its text, which is then cleaned too. */
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
      const text = decodeHTML(found[0]).replace(/\u00a0/g, ' ');
      // A bracket written as an entity does not begin a tag.
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
    // `<example.org>` is a link.
    if (name.includes('.') && attributes === '' && !closes && !empty) return this.#rebuffer(name, length);
    const meaning = tagMeaning(name, attributes === '' && !empty);
    switch (meaning) {
      case 'reasoning':
        return empty ? length : this.#reasoning(name, closes, length);
      case 'pause': {
        const ms = breakMs(attributes);
        if (ms > 0) this.#add({ kind: 'pause', ms });
        break;
      }
      case 'silent':
      case 'code':
      case 'table': {
        const what = meaning === 'silent' ? undefined : meaning;
        if (what) this.#newline();
        if (!closes && !empty && (what === undefined || this.#skip.has(what)))
          this.#enter(what, new RegExp(`</${name}\\s*>|(<${name}(?:\\s[^<>]{0,400})?>)`, 'gi'));
        break;
      }
      case 'paragraph':
        this.#newline();
        this.#newline();
        break;
      case 'line':
        this.#newline();
        break;
      case 'ignored':
        if (!closes) this.#add({ kind: 'ignored', tag: name });
        break;
      case 'nothing':
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

import {
  classOf,
  columnsOf,
  isClosingBracket,
  isCjk,
  isSpoken,
  lastCodePoint,
  type CharacterClass,
} from './characters.js';
import { judgeSentenceEnd, type Boundary } from './sentence-rules.js';

/**
 * Options of text segmentation. Lengths are in columns: a wide (Japanese, Chinese, Korean) character counts
 * two.
 */
export interface SegmenterOptions {
  /**
   * Length from which a first segment may end at a clause (a comma), so that sound starts sooner. It doubles
   * with each segment: once sound is buffered, whole sentences are better than early cuts. Default 24.
   */
  readonly firstClauseColumns?: number | undefined;
  /** Maximum length of a segment; it is cut at a clause, else between words. Default 200. */
  readonly maxColumns?: number | undefined;
}

/** Length after which an open bracket is treated as not part of a pair. */
const OPEN_BRACKET_COLUMNS = 120;
/** UTF-16 units per column at which a cut is tried: combining marks have no width but use memory. */
const MAX_UNITS_PER_COLUMN = 8;

/**
 * Length of a line without end punctuation from which it counts as wrapped: the sentence continues in the
 * next line.
 */
const WRAPPED_LINE_COLUMNS = 50;
const HEAD_CHARACTERS = 8;
const LIST_MARKER = /^\s*(?:[-*+•・>#|]|\d{1,3}[.)])/u;

const words = new Intl.Segmenter(undefined, { granularity: 'word' });
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** A position that only the following text can decide. */
type Pending =
  | { readonly kind: 'end'; readonly startAt: number; run: string; closed: boolean; spaced: boolean }
  | { readonly kind: 'clause'; readonly needsSpace: boolean; readonly mark: string; spaced: boolean }
  | { readonly kind: 'wrap' };

/**
 * Cuts a text that comes in pieces into utterances, as early as is natural. It works character by character,
 * so every chunking of a text gives the same segments, and the joined segments are the text. Text without
 * speech (white space, a rule of dashes) goes with the text after it; only {@link flush} returns such a piece
 * alone.
 *
 * A boundary is certain once the character after it is known: `3.` may become `3.14`, `。` may be followed by
 * `」`. While a text is being written, call {@link settle} and {@link drain} at the writer's pauses.
 */
export class TextSegmenter {
  readonly #firstClauseColumns: number;
  readonly #maxColumns: number;
  #text = '';
  #columns = 0;
  #spoken = false;
  #depth = 0;
  #openedAtColumn = 0;
  #pending: Pending | undefined;
  /** End of the last clause in the segment, as an index; 0 for none. */
  #clauseAt = 0;
  #line = new LineState();
  #lineAtStart = new LineState();
  #highSurrogate = '';
  /** Number of segments since the start or the last pause of the writer. */
  #emitted = 0;
  #forceAtUnits: number;
  #out: string[] = [];
  #steps = 0;

  /** @throws RangeError when a length is not a positive number */
  constructor(options: SegmenterOptions = {}) {
    this.#firstClauseColumns = options.firstClauseColumns ?? 24;
    this.#maxColumns = options.maxColumns ?? 200;
    if (!(this.#firstClauseColumns > 0 && this.#maxColumns > 0)) {
      throw new RangeError('firstClauseColumns and maxColumns must be positive.');
    }
    this.#forceAtUnits = this.#maxColumns * MAX_UNITS_PER_COLUMN;
  }

  /**
   * Number of characters processed so far, with those that a cut put back: a measure of work that does not
   * depend on the machine.
   */
  get steps(): number {
    return this.#steps;
  }

  /** True while there is speech that has not been returned. */
  get hasSpeech(): boolean {
    return this.#spoken;
  }

  /**
   * Takes the next piece of text.
   * @returns the segments that are now certain: usually none or one
   */
  push(text: string): string[] {
    let rest = this.#highSurrogate + text;
    const last = rest.charCodeAt(rest.length - 1);
    const split = last >= 0xd800 && last <= 0xdbff;
    this.#highSurrogate = split ? rest.slice(-1) : '';
    if (split) rest = rest.slice(0, -1);
    for (const character of rest) this.#step(character);
    return this.#take();
  }

  /**
   * Handles a short pause of the writer.
   * @returns the current sentence if it is complete whatever follows; `3.` is not, it may be half a number
   */
  settle(): string[] {
    if (this.#pausedAtSentence()) {
      this.#cut(this.#text.length);
      this.#emitted = 0;
    }
    return this.#take();
  }

  /**
   * Handles a long pause of the writer.
   * @returns everything speakable: up to the last clause, else up to the last whole word, else all
   */
  drain(): string[] {
    if (this.#spoken) {
      this.#cut(this.#pausedAtSentence() ? this.#text.length : this.#clauseAt || wholeWordsEnd(this.#text));
      this.#emitted = 0;
    }
    return this.#take();
  }

  /**
   * Handles the end of the text.
   * @returns the rest
   */
  flush(): string[] {
    for (const character of this.#highSurrogate) this.#step(character);
    this.#highSurrogate = '';
    if (this.#text) this.#cut(this.#text.length);
    return this.#take();
  }

  #take(): string[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #step(character: string): void {
    this.#steps++;
    if (this.#pending) {
      const verdict = this.#resolve(this.#pending, character);
      if (verdict !== 'wait') {
        this.#pending = undefined;
        this.#mark(verdict);
      }
    }
    this.#append(character);
    if (this.#columns > this.#maxColumns || this.#text.length > this.#forceAtUnits) this.#force();
  }

  /** Appends a character to the segment and records the boundary question that it raises. */
  #append(character: string): void {
    const kind = classOf(character);
    const wasBlank = this.#line.blank;
    const wasWrapped = this.#line.wrapped;
    const at = this.#text.length;
    this.#text += character;
    this.#columns += columnsOf(character);
    this.#line.add(character);
    if (!this.#spoken && isSpoken(character)) this.#spoken = true;
    if (kind === 'opener' && this.#depth++ === 0) this.#openedAtColumn = this.#columns;
    if (this.#depth > 0 && isClosingBracket(character)) this.#depth--;
    if (kind === 'newline') {
      this.#pending = undefined;
      this.#depth = 0;
      if (!wasBlank && wasWrapped) this.#pending = { kind: 'wrap' };
      else this.#mark('sentence');
      return;
    }
    if (this.#pending) return;
    if (kind === 'terminator') {
      this.#pending = { kind: 'end', startAt: at, run: character, closed: false, spaced: false };
    } else if (kind === 'clause' || kind === 'dash') {
      this.#pending = { kind: 'clause', needsSpace: character < '\u007f', mark: character, spaced: false };
    }
  }

  /** Decides a pending position by the current character; `wait` when the character belongs to it. */
  #resolve(pending: Pending, character: string): Boundary | 'wait' {
    const kind = classOf(character);
    if (pending.kind === 'wrap') {
      if (kind === 'newline' || kind === 'extend') return 'none';
      if (kind === 'space') return 'wait';
      return kind === 'opener' || kind === 'quote' || isSpoken(character) ? 'clause' : 'sentence';
    }
    if (kind === 'newline') return 'none';
    if (kind === 'space') {
      pending.spaced = true;
      return 'wait';
    }
    if (kind === 'extend') return pending.spaced ? 'none' : 'wait';
    if (pending.kind === 'clause') {
      if (!pending.spaced && (kind === 'closer' || character === pending.mark)) return 'wait';
      return pending.needsSpace && !pending.spaced ? 'none' : 'clause';
    }
    if (!pending.spaced) {
      if (kind === 'terminator') {
        pending.run += character;
        return 'wait';
      }
      if (kind === 'closer' || (kind === 'quote' && this.#line.quoteOpen)) {
        pending.closed = true;
        return 'wait';
      }
    }
    return this.#judge(pending, character);
  }

  #judge(pending: Extract<Pending, { kind: 'end' }>, next: string | undefined): Boundary {
    // Text without speech is not cut.
    if (!this.#spoken) return 'none';
    const verdict = judgeSentenceEnd({ ...pending, before: this.#text.slice(0, pending.startAt), next });
    const inBrackets = this.#depth > 0 && this.#columns - this.#openedAtColumn < OPEN_BRACKET_COLUMNS;
    return verdict === 'sentence' && inBrackets ? 'clause' : verdict;
  }

  #pausedAtSentence(): boolean {
    if (!this.#spoken || !this.#pending) return false;
    if (this.#pending.kind === 'wrap') return true;
    return this.#pending.kind === 'end' && this.#judge(this.#pending, undefined) === 'sentence';
  }

  /** Cuts at the end of the current text when the boundary there is strong enough. */
  #mark(boundary: Boundary): void {
    if (boundary === 'none' || !this.#spoken) return;
    if (boundary === 'clause') {
      this.#clauseAt = this.#text.length;
      const least = this.#firstClauseColumns * 2 ** Math.min(this.#emitted, 16);
      if (this.#columns < Math.min(least, this.#maxColumns)) return;
    }
    this.#cut(this.#text.length);
  }

  #force(): void {
    const clauseAt = this.#clauseAt > this.#text.length / 3 ? this.#clauseAt : undefined;
    const at = clauseAt ?? forcedCut(this.#text);
    if (at !== undefined) this.#cut(at);
    else this.#forceAtUnits = this.#text.length * 2;
  }

  /** Returns the text up to an index and processes the rest again. */
  #cut(index: number): void {
    const segment = this.#text.slice(0, index);
    const rest = this.#text.slice(index);
    this.#out.push(segment);
    this.#emitted++;
    if (rest) {
      for (const character of segment) this.#lineAtStart.add(character);
      this.#line = this.#lineAtStart.clone();
    } else {
      this.#lineAtStart = this.#line.clone();
    }
    this.#text = '';
    this.#columns = 0;
    this.#spoken = false;
    this.#depth = 0;
    this.#openedAtColumn = 0;
    this.#pending = undefined;
    this.#clauseAt = 0;
    this.#forceAtUnits = this.#maxColumns * MAX_UNITS_PER_COLUMN;
    for (const character of rest) this.#step(character);
  }
}

/** Returns the end of the complete words: in a script with spaces, the last word may be incomplete. */
function wholeWordsEnd(text: string): number {
  const last = lastCodePoint(text) ?? '';
  if (!isSpoken(last) || isCjk(last)) return text.length;
  return lastSpaceEnd(text) || text.length;
}

/**
 * Returns the index of a forced cut: after the last white space, else at the last word boundary, else between
 * two grapheme clusters. A cut in the first third counts no more than a later one of the next kind.
 * @returns an index above 0 and below the length; undefined when the text is a single grapheme cluster
 */
export function forcedCut(text: string): number | undefined {
  const least = text.length / 3;
  const space = lastSpaceEnd(text);
  if (space > least && isGraphemeBoundary(text, space)) return space;
  // Searched from the end, because only the last boundaries matter.
  const inWords = words.segment(text);
  for (let at = text.length; at > least;) {
    at = inWords.containing(at - 1)?.index ?? 0;
    if (at > least && isGraphemeBoundary(text, at)) return at;
  }
  const last = graphemes.segment(text).containing(text.length - 1)?.index ?? 0;
  return last > 0 ? last : undefined;
}

/**
 * Returns the start of the last word of a text.
 * @returns the index after its last white space that is followed by text, or 0 when there is none
 */
function lastSpaceEnd(text: string): number {
  for (let at = text.length - 1; at > 0; at--) {
    if (/\s/u.test(text.charAt(at - 1)) && !/\s/u.test(text.charAt(at))) return at;
  }
  return 0;
}

/** True when no grapheme cluster of the text spans the index. */
function isGraphemeBoundary(text: string, index: number): boolean {
  return index >= text.length || graphemes.segment(text).containing(index)?.index === index;
}

/** State of the current line of text, which may have begun some segments ago. */
class LineState {
  #columns = 0;
  #head = '';
  #lastClass: CharacterClass | undefined;
  #lastCharacter = '';
  #quoteOpen = false;

  /** True inside straight double quotes: the next one closes. */
  get quoteOpen(): boolean {
    return this.#quoteOpen;
  }

  /** True while the line has no visible character. */
  get blank(): boolean {
    return this.#lastClass === undefined;
  }

  /** True when the following break is only a wrap: a long line, no list item, no punctuation at its end. */
  get wrapped(): boolean {
    if (this.#columns < WRAPPED_LINE_COLUMNS || LIST_MARKER.test(this.#head)) return false;
    if (this.#lastClass === 'clause') return !/[:：]/.test(this.#lastCharacter);
    return this.#lastClass === 'other' || this.#lastClass === 'extend' || this.#lastClass === 'dash';
  }

  /** Adds a character; a newline begins a new line. */
  add(character: string): void {
    const kind = classOf(character);
    if (kind === 'newline') {
      this.#columns = 0;
      this.#head = '';
      this.#lastClass = undefined;
      this.#lastCharacter = '';
      this.#quoteOpen = false;
      return;
    }
    this.#columns += columnsOf(character);
    if (this.#head.length < HEAD_CHARACTERS) this.#head += character;
    if (kind === 'space') return;
    if (kind === 'quote') this.#quoteOpen = !this.#quoteOpen;
    this.#lastClass = kind;
    this.#lastCharacter = character;
  }

  /** Returns an independent copy. */
  clone(): LineState {
    const copy = new LineState();
    copy.#columns = this.#columns;
    copy.#head = this.#head;
    copy.#lastClass = this.#lastClass;
    copy.#lastCharacter = this.#lastCharacter;
    copy.#quoteOpen = this.#quoteOpen;
    return copy;
  }
}

import { classOf, columnsOf, type CharacterClass } from './characters.js';

/** A line this long that ends without punctuation was wrapped by its writer: the sentence goes on in the next. */
const WRAPPED_LINE_COLUMNS = 50;
const HEAD_CHARACTERS = 8;
const LIST_MARKER = /^\s*(?:[-*+•・>#|]|\d{1,3}[.)])/u;

/** What a segmenter knows of the current line of text, which may have begun segments ago. */
export class LineState {
  #columns = 0;
  #head = '';
  #lastClass: CharacterClass | undefined;
  #lastCharacter = '';
  #quoteOpen = false;

  /** True inside straight double quotes: the next one closes. */
  get quoteOpen(): boolean {
    return this.#quoteOpen;
  }

  /** True when nothing visible stands on it yet. */
  get blank(): boolean {
    return this.#lastClass === undefined;
  }

  /** True when the break after it is only a wrap: a long line, no list item, no punctuation at its end. */
  get wrapped(): boolean {
    if (this.#columns < WRAPPED_LINE_COLUMNS || LIST_MARKER.test(this.#head)) return false;
    if (this.#lastClass === 'clause') return !/[:：]/.test(this.#lastCharacter);
    return this.#lastClass === 'other' || this.#lastClass === 'extend' || this.#lastClass === 'dash';
  }

  /** Takes the next character; a newline begins a new line. */
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

  /** A copy that goes its own way. */
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

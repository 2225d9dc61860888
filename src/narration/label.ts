import type { SayText } from '../agent/say.js';

/** Maximum label length, in characters. */
const MAX_CHARACTERS = 40;
/** Label of a text whose first words have not arrived yet. */
const NO_WORDS = 'a text';

const segmenter = new Intl.Segmenter();

/** A text and its label, which messages and queues use. */
export interface LabelledText {
  readonly text: SayText;
  /** First words of the text, as far as they have arrived. */
  readonly label: string;
}

/** Returns the first words of a text. */
export function firstWords(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  if (line === '') return NO_WORDS;
  const characters = [...segmenter.segment(line.slice(0, 20 * MAX_CHARACTERS))].map(({ segment }) => segment);
  if (characters.length <= MAX_CHARACTERS) return line;
  const cut = characters.slice(0, MAX_CHARACTERS).join('');
  // Cut between two words where possible.
  const space = cut.lastIndexOf(' ');
  return `${(space > MAX_CHARACTERS / 2 ? cut.slice(0, space) : cut).trimEnd()}…`;
}

/** Labels a text with its first words. The first words of a text that is still being written are taken while it is read. */
export function labelled(text: SayText): LabelledText {
  if (typeof text === 'string') return { text, label: firstWords(text) };
  let head = '';
  async function* followed(pieces: Exclude<SayText, string>): Exclude<SayText, string> {
    for await (const piece of pieces) {
      // Twice as much, since a label collapses white space.
      if (typeof piece === 'string' && head.length <= 2 * MAX_CHARACTERS)
        head += piece.slice(0, 4 * MAX_CHARACTERS);
      yield piece;
    }
  }
  return {
    text: followed(text),
    get label() {
      return firstWords(head);
    },
  };
}

import type { TtsEngine } from './engine.js';
import type { TextMark } from './script.js';
import { forcedCut } from './segmenter.js';

/** A part of a segment that every engine takes. */
export interface FittingPart {
  /** Text as written. The joined texts of all parts are the segment's text. */
  readonly text: string;
  /** Text as given to the engine. */
  readonly said: string;
  readonly marks: readonly TextMark[];
}

const CLAUSE_END = /[。！？.!?、，,;；…](?:["'」』）)]|\s)*/gu;

/**
 * Cuts text for the engine so that no part is longer than an engine takes, by the engine's own count. A
 * dictionary can make a sentence longer after segmentation.
 * @param segment the text as written, with its tags
 * @param said the same text for the engine
 */
export function cutToFit(
  segment: { readonly text: string; readonly marks: readonly TextMark[] },
  said: string,
  engines: readonly (TtsEngine | undefined)[],
): FittingPart[] {
  const parts: FittingPart[] = [];
  let { text, marks } = segment;
  let rest = said;
  while (true) {
    const room = Math.min(...engines.map((engine) => (engine ? prefixOf(rest, engine) : rest.length)));
    const cut = room < rest.length ? cutBelow(rest, room) : rest.length;
    if (cut >= rest.length) break;
    const textCut = Math.min(text.length, boundaryNear(text, Math.round((text.length * cut) / rest.length)));
    parts.push({
      text: text.slice(0, textCut),
      said: rest.slice(0, cut).trim(),
      marks: marks.filter(({ at }) => at < textCut),
    });
    marks = marks.filter(({ at }) => at >= textCut).map(({ tag, at }) => ({ tag, at: at - textCut }));
    text = text.slice(textCut);
    rest = rest.slice(cut).trimStart();
  }
  return [...parts, { text, said: rest, marks }];
}

/** Returns the length of the longest start of a text that an engine takes, in UTF-16 units. */
function prefixOf(text: string, { capabilities }: TtsEngine): number {
  const { maxChars = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = capabilities;
  if (text.length <= maxChars && text.length * 3 <= maxBytes) return text.length;
  let units = 0;
  let chars = 0;
  let bytes = 0;
  for (const character of text) {
    chars += 1;
    bytes += Buffer.byteLength(character);
    if (chars > maxChars || bytes > maxBytes) break;
    units += character.length;
  }
  return units;
}

/**
 * Returns the best position for a cut within a length: after a clause, else between words, else between
 * characters.
 */
function cutBelow(text: string, room: number): number {
  // A limit below one character cannot be met.
  const head = text.slice(0, Math.max(room, text.codePointAt(0)! > 0xffff ? 2 : 1));
  let clause = 0;
  for (const match of head.matchAll(CLAUSE_END)) {
    const end = match.index + match[0].length;
    // A decimal point is no boundary.
    if (end < head.length && !/[.,]\d/.test(text.slice(end - 1, end + 1))) clause = end;
  }
  if (clause > head.length / 3) return clause;
  return forcedCut(head) ?? head.length;
}

/** Returns a position between words near an index, or between characters. */
function boundaryNear(text: string, index: number): number {
  const space = /\s\S/u.exec(text.slice(index, index + 12));
  if (space) return index + space.index + 1;
  const low = text.charCodeAt(index);
  return low >= 0xdc00 && low <= 0xdfff ? index + 1 : index;
}

const words = new Intl.Segmenter(undefined, { granularity: 'word' });
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * Where to cut a text that must be cut: behind its last white space, else at its last word boundary, else between two
 * grapheme clusters. A cut in the first third is worth no better than a later one of the next kind.
 * @returns an index above 0 and below the length; undefined when the text is a single grapheme cluster
 */
export function forcedCut(text: string): number | undefined {
  const least = text.length / 3;
  const space = lastSpaceEnd(text);
  if (space > least && isGraphemeBoundary(text, space)) return space;
  let word = 0;
  for (const { index } of words.segment(text)) {
    if (index > least && isGraphemeBoundary(text, index)) word = index;
  }
  if (word > 0) return word;
  let last = 0;
  for (const { index } of graphemes.segment(text)) last = index;
  return last > 0 ? last : undefined;
}

/**
 * Where the last word of a text begins.
 * @returns the index behind its last white space that something follows, or 0 when there is none
 */
export function lastSpaceEnd(text: string): number {
  for (let at = text.length - 1; at > 0; at--) {
    if (/\s/u.test(text.charAt(at - 1)) && !/\s/u.test(text.charAt(at))) return at;
  }
  return 0;
}

/** True when no grapheme cluster of the text spans the index. */
export function isGraphemeBoundary(text: string, index: number): boolean {
  return index >= text.length || graphemes.segment(text).containing(index)?.index === index;
}

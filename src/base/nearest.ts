/**
 * Returns the known word that is most similar to a mistyped one.
 * @returns undefined when every known word differs in more than a third of the letters
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const wanted = plain(word);
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Normalises a name: `lead-ms`, `lead_ms` and `leadMs` count as the same word. */
function plain(word: string): string {
  return word.slice(0, 200).toLowerCase().replaceAll(/[-_ ]/g, '');
}

/** Returns the Levenshtein distance, or `limit` when the distance is not below it. */
function editDistance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) >= limit) return limit;
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return Math.min(limit, row[to.length]!);
}

/** Returns the end of a message about an unknown word: `; did you mean leadMs?`, or an empty string. */
export function didYouMean(word: string, known: readonly string[]): string {
  const found = nearest(word, known);
  return found === undefined ? '' : `; did you mean ${found}?`;
}

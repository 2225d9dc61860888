import { textColumns } from './characters.js';
import type { PhonemeTiming, TextSpan } from './engine.js';

/** Known timing of an utterance. */
export interface UtteranceTiming {
  readonly durationMs: number;
  readonly phonemes?: readonly PhonemeTiming[] | undefined;
  readonly spans?: readonly TextSpan[] | undefined;
}

/** A position in the text and its time; both only increase. */
interface Anchor {
  readonly at: number;
  readonly ms: number;
}

const SILENT = new Set(['sil', 'pau', 'sp']);
const CLAUSE_END = /[、，,;；:：。！？!?…]\s*(?=\S)/gu;

/**
 * Returns the time of a position in a text, in milliseconds from the utterance's start: by the engine's word
 * or character times if available; else between silences that match the text's clauses; else in proportion to
 * the text's width.
 * @param at an index into the text, 0 to its length
 */
export function markTimeMs(text: string, at: number, timing: UtteranceTiming): number {
  const anchors = spanAnchors(text, timing.spans ?? []) ?? silenceAnchors(text, timing);
  const next = anchors.findIndex((anchor) => anchor.at >= at);
  if (next === -1) return timing.durationMs;
  const to = anchors[next]!;
  const from = anchors[next - 1];
  if (!from || to.at === at) return to.ms;
  const share = textColumns(text.slice(from.at, at)) / Math.max(1, textColumns(text.slice(from.at, to.at)));
  return from.ms + share * (to.ms - from.ms);
}

/**
 * Returns the time of a position by the engine's word or character times alone, while they are still coming.
 * @returns undefined while they do not reach the position
 */
export function spanTimeMs(text: string, at: number, spans: readonly TextSpan[]): number | undefined {
  const anchors = spanAnchors(text, spans);
  const reached = anchors?.at(-2);
  if (!anchors || !reached || reached.at < at) return undefined;
  return markTimeMs(text, at, { durationMs: reached.ms, spans });
}

/** Matches the words or characters to the text; words that the engine normalised away are skipped. */
function spanAnchors(text: string, spans: readonly TextSpan[]): Anchor[] | undefined {
  const anchors: Anchor[] = [];
  let from = 0;
  let endMs = 0;
  for (const span of spans) {
    const word = span.text.trim();
    const at = word ? text.indexOf(word, from) : -1;
    // A match far ahead is another occurrence of the word.
    if (at === -1 || at - from > 40) continue;
    anchors.push({ at, ms: span.startMs }, { at: at + word.length, ms: span.endMs });
    from = at + word.length;
    endMs = span.endMs;
  }
  if (anchors.length === 0) return undefined;
  return [...anchors, { at: text.length, ms: endMs }];
}

function silenceAnchors(text: string, { durationMs, phonemes = [] }: UtteranceTiming): Anchor[] {
  const silences: { startMs: number; endMs: number }[] = [];
  let ms = 0;
  let speechEndMs = durationMs;
  for (const { phoneme, durationMs: length } of phonemes) {
    if (SILENT.has(phoneme)) silences.push({ startMs: ms, endMs: ms + length });
    ms += length;
  }
  let speechStartMs = 0;
  if (silences[0]?.startMs === 0) speechStartMs = silences.shift()!.endMs;
  const last = silences.at(-1);
  if (last && Math.abs(last.endMs - ms) < 1) {
    speechEndMs = last.startMs;
    silences.pop();
  }
  const clauses = [...text.matchAll(CLAUSE_END)].map((match) => match.index + match[0].length);
  const matched = clauses.length === silences.length ? clauses : [];
  return [
    { at: 0, ms: speechStartMs },
    ...matched.map((at, index) => ({ at, ms: silences[index]!.endMs })),
    { at: text.length, ms: speechEndMs },
  ];
}

import { classOf, isCjk, isLowercase, isUppercase, lastCodePoint } from './characters.js';

/** How good a place is to cut: at a sentence's end always, at a clause once the segment is long enough. */
export type Boundary = 'sentence' | 'clause' | 'none';

/** Abbreviations that a name or a number follows: never an end. */
const NEVER_ENDS = new Set(
  (
    'mr mrs ms mx dr prof rev fr st mt ft gen col maj capt cmdr lt sgt gov sen rep hon pres messrs mme mlle ' +
    'no nos nr vol vols fig figs eq eqs sec ch chap pp pg ed eds vs v cf approx ca esp incl resp ' +
    'jan feb mar apr jun jul aug sep sept oct nov dec z.b d.h u.a s.o bzw ggf e.g i.e eg ie viz'
  ).split(' '),
);

/** Abbreviations that can also end a sentence: an upper-case letter after them decides. */
const MAY_END = new Set(
  'etc al inc ltd co corp jr sr ph.d m.d b.a m.a a.m p.m b.c a.d usw e.v llc bros dept est ave blvd rd'.split(
    ' ',
  ),
);

/** Japanese characters that carry a quotation on: `「…。」と言った`. */
const CARRIES_ON = new Set('とっはがをのにもでへやだなさよねらんけ、，。');

const SURE_END = /[。！？｡।॥؟۔‽⁉‼❗❓❕❔]/u;
const LAST_WORD = /[\p{L}\p{M}.]+$/u;
const MAX_ITEM_CHARS = 20;
/** `1.` at the head of a line, of a sentence or after a colon numbers an item. */
const ITEM_NUMBER = /(?:^\s*|\n\s*|[:：.!?]\s+|[。！？]\s*)(?:\d{1,3}|\p{L})$/u;

/** What is known of a place where one or more terminators stood. */
export interface SentenceEnd {
  /** The segment's text up to and without the terminators. */
  readonly before: string;
  /** The terminators, without closers: `.`, `?!`, `。`, `...`. */
  readonly run: string;
  /** A closing quote or bracket followed them. */
  readonly closed: boolean;
  /** White space followed. */
  readonly spaced: boolean;
  /** The first visible character after all of it; undefined when the writer paused there. */
  readonly next: string | undefined;
}

/**
 * Whether a sentence ends at a run of terminators.
 * @returns `sentence`; `clause` when it is a fair place to pause all the same; or `none`
 */
export function judgeSentenceEnd(end: SentenceEnd): Boundary {
  const { run, closed, spaced, next } = end;
  const last = lastCodePoint(end.before);
  if (SURE_END.test(run) || (isCjk(last) && /[!?]/.test(run))) {
    return closed && !spaced && next !== undefined && CARRIES_ON.has(next) ? 'clause' : 'sentence';
  }
  if (/[!?]/.test(run)) {
    if (spaced) return closed && next !== undefined && isLowercase(next) ? 'clause' : 'sentence';
    // `?q=1` in an address goes on in ASCII; an emoji or another script begins something new.
    return next === undefined || next > '\u007e' ? 'sentence' : 'none';
  }
  if (run.length > 1 || /[…‥]/.test(run)) return judgeEllipsis(end);
  return judgePeriod(end, last);
}

function judgeEllipsis({ spaced, next }: SentenceEnd): Boundary {
  if (next === undefined) return 'clause';
  if (spaced) return isLowercase(next) ? 'clause' : 'sentence';
  return isCjk(next) ? 'clause' : 'none';
}

function judgePeriod(end: SentenceEnd, last: string | undefined): Boundary {
  const { before, spaced, next } = end;
  if (isCjk(last)) {
    return next === undefined || spaced || classOf(next) !== 'other' || isCjk(next) ? 'sentence' : 'none';
  }
  // What numbers an item is short: a long text need not be looked through for it.
  const near = before.length > MAX_ITEM_CHARS ? `…${before.slice(-MAX_ITEM_CHARS)}` : before;
  if (!spaced || ITEM_NUMBER.test(near)) return 'none';
  const word = LAST_WORD.exec(before.slice(-24))?.[0] ?? '';
  const key = word.toLowerCase();
  const initials = /^\p{Lu}(?:\.\p{Lu})*$/u.test(word) && word !== 'I';
  if (initials || NEVER_ENDS.has(key)) return 'none';
  if (MAY_END.has(key)) return next !== undefined && isUppercase(next) ? 'sentence' : 'none';
  return next !== undefined && isLowercase(next) ? 'clause' : 'sentence';
}

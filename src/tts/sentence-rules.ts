import { classOf, isCjk, isLowercase, isUppercase, lastCodePoint } from './characters.js';

/** Strength of a boundary: a sentence end is always cut, a clause once the segment is long enough. */
export type Boundary = 'sentence' | 'clause' | 'none';

/** Abbreviations before a name or a number, which never end a sentence. */
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

/** Japanese characters that continue a sentence after a quotation: `「…。」と言った`. */
const CARRIES_ON = new Set('とっはがをのにもでへやだなさよねらんけ、，。');

const SURE_END = /[。！？｡।॥؟۔‽⁉‼❗❓❕❔]/u;
const LAST_WORD = /[\p{L}\p{M}.]+$/u;
const MAX_ITEM_CHARS = 20;
/** Matches the number of an item: `1.` at the start of a line or a sentence, or after a colon. */
const ITEM_NUMBER = /(?:^\s*|\n\s*|[:：.!?]\s+|[。！？]\s*)(?:\d{1,3}|\p{L})$/u;

/** Context of one or more terminators. */
export interface SentenceEnd {
  /** Text of the segment before the terminators. */
  readonly before: string;
  /** Terminators without closing marks: `.`, `?!`, `。`, `...`. */
  readonly run: string;
  /** True when a closing quote or bracket followed. */
  readonly closed: boolean;
  /** True when white space followed. */
  readonly spaced: boolean;
  /** First visible character after all of it; undefined when the writer paused there. */
  readonly next: string | undefined;
}

/**
 * Decides whether a sentence ends at a run of terminators.
 * @returns `sentence`; `clause` when it is a good place for a pause; or `none`
 */
export function judgeSentenceEnd(end: SentenceEnd): Boundary {
  const { run, closed, spaced, next } = end;
  const last = lastCodePoint(end.before);
  if (SURE_END.test(run) || (isCjk(last) && /[!?]/.test(run))) {
    return closed && !spaced && next !== undefined && CARRIES_ON.has(next) ? 'clause' : 'sentence';
  }
  if (/[!?]/.test(run)) {
    if (spaced) return closed && next !== undefined && isLowercase(next) ? 'clause' : 'sentence';
    // `?q=1` in an address continues in ASCII; an emoji or another script begins something new.
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
  // Item numbers are short, so only the end of a long text is searched.
  const near = before.length > MAX_ITEM_CHARS ? `…${before.slice(-MAX_ITEM_CHARS)}` : before;
  if (!spaced || ITEM_NUMBER.test(near)) return 'none';
  const word = LAST_WORD.exec(before.slice(-24))?.[0] ?? '';
  const key = word.toLowerCase();
  const initials = /^\p{Lu}(?:\.\p{Lu})*$/u.test(word) && word !== 'I';
  if (initials || NEVER_ENDS.has(key)) return 'none';
  if (MAY_END.has(key)) return next !== undefined && isUppercase(next) ? 'sentence' : 'none';
  return next !== undefined && isLowercase(next) ? 'clause' : 'sentence';
}

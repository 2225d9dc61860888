/**
 * Class of a character for the segmenter. `extend` belongs to the grapheme cluster before it, so there is no
 * cut in front of it (UAX #29, GB9 and GB9a).
 */
export type CharacterClass =
  'terminator' | 'clause' | 'dash' | 'opener' | 'closer' | 'quote' | 'space' | 'newline' | 'extend' | 'other';

const CLASSES = new Map<string, CharacterClass>();
const assign = (characters: string, kind: CharacterClass): void => {
  for (const character of characters) CLASSES.set(character, kind);
};
assign('.!?…‥。！？．｡؟۔।॥‽⁉‼❗❓❕❔', 'terminator');
assign(',;:、，；：､،؛', 'clause');
assign('—―', 'dash');
assign('([{（［｛「『【〈《〔〖〘“«‹', 'opener');
assign(")]}）］｝」』】〉》〕〗〙”»›'’*_`~", 'closer');
assign('"＂', 'quote');
assign('\n\u2028\u2029', 'newline');

const EXTEND = /[\p{M}\p{Grapheme_Extend}\p{Emoji_Modifier}\u200c\u200d\u0e33\u0eb3]/u;
const SPACE = /\s/u;
const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー\u3000-\u303f\uff00-\uffef]/u;
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;
const LOWERCASE = /\p{Ll}/u;
const UPPERCASE = /\p{Lu}/u;

/** Returns the class of a code point. */
export function classOf(character: string): CharacterClass {
  const known = CLASSES.get(character);
  if (known) return known;
  if (character >= '0' && character <= 'z') return 'other';
  if (SPACE.test(character)) return 'space';
  return EXTEND.test(character) ? 'extend' : 'other';
}

/** True for the scripts of Japanese and Chinese and their punctuation, which have no spaces between words. */
export function isCjk(character: string | undefined): boolean {
  return character !== undefined && character > '\u2e7f' && CJK.test(character);
}

/** True when an engine can speak the character. */
export function isSpoken(character: string): boolean {
  return LETTER_OR_DIGIT.test(character);
}

/** True for a lower-case letter, which continues a sentence. */
export function isLowercase(character: string): boolean {
  return LOWERCASE.test(character);
}

/** True for an upper-case letter. */
export function isUppercase(character: string): boolean {
  return UPPERCASE.test(character);
}

/** True for bracket characters that count towards nesting; apostrophes and Markdown marks do not. */
export function isClosingBracket(character: string): boolean {
  return CLASSES.get(character) === 'closer' && !"'’*_`~".includes(character);
}

/** Returns the last code point of a text, or undefined for an empty one. */
export function lastCodePoint(text: string): string | undefined {
  const code = text.length > 1 ? text.codePointAt(text.length - 2)! : 0;
  return code > 0xffff ? text.slice(-2) : text.slice(-1) || undefined;
}

/**
 * Returns the width of a character in a terminal: 2 for East Asian wide characters and emoji, 0 for
 * characters that extend the one before, else 1. Width matches speaking time better than a count of
 * characters: a kana or an ideograph takes about as long as two Latin letters.
 */
export function columnsOf(character: string): 0 | 1 | 2 {
  if (character < '\u0300') return 1;
  if (EXTEND.test(character)) return 0;
  const code = character.codePointAt(0)!;
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff01 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}

/**
 * Returns the width of a text, by {@link columnsOf}.
 * @returns columns, 0 for an empty text
 */
export function textColumns(text: string): number {
  let columns = 0;
  for (const character of text) columns += columnsOf(character);
  return columns;
}

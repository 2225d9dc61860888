const EMOJI =
  /(?:\p{RI}\p{RI}|\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\ufe0f|\u20e3|[\u{e0020}-\u{e007f}]+|\u200d\p{Extended_Pictographic})*|[#*0-9]\ufe0f?\u20e3)/gu;
/** Characters that Unicode classes as pictures and readers read as words. */
const WORDS = new Set(['©', '®', '™']);
const CJK = '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}';
const CJK_LINE_END = new RegExp(`(?<=${CJK}。、！？])\n(?=${CJK}「])`, 'gu');

/**
 * Prepares a cleaned text for an engine: composed (NFC), without emoji, on one line. Words are unchanged;
 * captions show the text before this step.
 */
export function speakableText(text: string): string {
  return text
    .normalize('NFC')
    .replace(EMOJI, (found) => (WORDS.has(found) ? found : ' '))
    .replace(/[ \t]*\|[ \t]*/g, ', ')
    .replace(/[ \t\u3000]*\n\s*/g, '\n')
    .replace(CJK_LINE_END, '')
    .replace(/[\s\u3000]+/g, ' ')
    .replace(/^[\s,]+|\s+$/g, '');
}

/** True when a text has something to say: a letter or a digit. */
export function hasSpeech(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}

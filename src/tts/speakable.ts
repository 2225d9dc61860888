const EMOJI =
  /(?:\p{RI}\p{RI}|\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\ufe0f|\u20e3|[\u{e0020}-\u{e007f}]+|\u200d\p{Extended_Pictographic})*|[#*0-9]\ufe0f?\u20e3)/gu;
/** These are pictures by the standard but words to a reader. */
const WORDS = new Set(['©', '®', '™']);

/**
 * A text as an engine should read it: without Markdown's marks, emoji, and the parts of an address that nobody says.
 * What is said stays word for word; who needs the text as it was written keeps the original.
 */
export function speakableText(text: string): string {
  return text
    .replace(/^[ \t]*(?:```|~~~).*$/gm, ' ')
    .replace(/!?\[([^\]\n]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"\n]*")?\)/g, '$1')
    .replace(/https?:\/\/(?:www\.)?([^\s/?#「」（）]+)[^\s「」（）、。]*/gi, (whole, host: string) =>
      hostOf(whole, host),
    )
    .replace(/^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+•・][ \t]+|(?:[-*_][ \t]*){3,}$)+/gm, '')
    .replace(/^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$/gm, '')
    .replace(/^[ \t]*\||\|[ \t]*$/gm, '')
    .replace(/[ \t]*\|[ \t]*/g, ', ')
    .replace(/(\*\*|__|~~)(?=\S)([\s\S]*?\S)\1/g, '$2')
    .replace(/(?<![\p{L}\p{N}_*])([*_])(?=\S)([^*_\n]*?\S)\1(?![\p{L}\p{N}_*])/gu, '$2')
    .replace(/`+/g, '')
    .replace(EMOJI, (found) => (WORDS.has(found) ? found : ' '))
    .replace(/\s*\n\s*/g, '\n')
    .replace(
      /(?<=[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}。、！？])\n(?=[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}「])/gu,
      '',
    )
    .replace(/[\s\u3000]+/g, ' ')
    .replace(/^[\s,]+|\s+$/g, '');
}

/** A sentence's own mark behind an address stays. */
function hostOf(whole: string, host: string): string {
  const end = /[.,;:!?)\]'"]+$/.exec(whole)?.[0] ?? '';
  return host.length + end.length > whole.length ? host : host.replace(/[.,;:!?)\]'"]+$/, '') + end;
}

/** True when an engine has something to say for a text: a letter or a digit. */
export function hasSpeech(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}

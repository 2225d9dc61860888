/**
 * Characters that no engine can speak: C0 and C1 controls, direction marks, invisible and private characters.
 */
const CONTROLS =
  /[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]|\p{Cs}|[\u{f0000}-\u{10ffff}]/gu;
const NEWLINES = /\r\n?|[\u000b\u000c\u0085\u2028\u2029]/g;
/** Escape sequences of ECMA-48: CSI, OSC and the other strings, and two-character sequences. */
const ESCAPES =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\u0007\u001b]{0,500}(?:\u0007|\u001b\\)|[ -/]*[0-~])/g;
const ESCAPE_START = /\u001b(?:\[[0-?]*[ -/]*|[\]P^_X][^\u0007\u001b]{0,500}\u001b?|[ -/]*)$/;
const MAX_ESCAPE = 600;

/** Removes escape sequences and unspeakable characters; every line end becomes `\n`. */
export function withoutControls(text: string): string {
  return text.replace(ESCAPES, '').replace(NEWLINES, '\n').replace(CONTROLS, '');
}

/**
 * Counts the characters at the end of a text that need more text to be judged: half an escape sequence, half
 * a line end or half a character.
 */
export function undecidedLength(text: string): number {
  const tail = text.slice(-MAX_ESCAPE);
  const begun = tail.search(ESCAPE_START);
  if (begun !== -1) return tail.length - begun;
  const last = text.charCodeAt(text.length - 1);
  return last === 0x0d || (last >= 0xd800 && last <= 0xdbff) ? 1 : 0;
}

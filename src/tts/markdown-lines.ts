/** Maximum length held until a line is judged, in UTF-16 units. */
const MAX_LINE = 2000;
const MAX_LINE_HEAD = 80;
const MAX_FENCE = 500;
const MAX_DEFINITION = 1000;

const LINE_HEAD = /[^\n|<.!?。！？,、，]{0,80}/y;
const INDENT = /[ \t\u3000]*/y;
const FENCE = /^(`{3,}|~{3,})(.*)$/;
const FENCE_START = /^(?:`{1,2}|~{1,2}|(?:`{3,}|~{3,})[^\n`]*)$/;
const HEADING = /#{1,6}(?=[ \t\n]|$)[ \t]*/y;
const RULE = /([-*_=])(?:[ \t]*\1)*[ \t]*/y;
const BULLET = /(?:[-*+][ \t]+|[•・‣▪][ \t\u3000]*|[●○◆◇■□][ \t\u3000]+)(?:\[[ xX]\][ \t]+)?/y;
const DELIMITER_ROW = /^\|?:?-+:?(?:\|:?-+:?)*\|?$/;
const DEFINITION = /\[[^\]\n]{1,100}\]:[ \t]*<?(?:https?:\/\/|\/|#|mailto:)[^\n]{0,1000}(?:\n|$)/y;

/** Beginning of a Markdown line; `length` is its length in characters. */
export type LineStart =
  | { readonly kind: 'wait' }
  /** An empty line. */
  | { readonly kind: 'blank'; readonly length: number }
  /** A whole line of a table. */
  | { readonly kind: 'row'; readonly length: number; readonly line: string }
  /** A whole line that opens a code block, and the pattern of the line that closes it. */
  | { readonly kind: 'fence'; readonly length: number; readonly close: RegExp }
  /** The mark of a heading or of an item. */
  | { readonly kind: 'block'; readonly length: number }
  /** A quotation mark; another line beginning follows. */
  | { readonly kind: 'quote'; readonly length: number }
  /** A line of dashes, stars or equals signs. */
  | { readonly kind: 'rule'; readonly length: number }
  /** A whole line that defines the address of a link. */
  | { readonly kind: 'definition'; readonly length: number }
  /** Plain text after the white space. */
  | { readonly kind: 'text'; readonly length: number };

const WAIT: LineStart = { kind: 'wait' };

/**
 * Classifies the beginning of a line in a text that comes in pieces.
 * @param from index of the line's first character
 * @param final true when no more text comes
 * @param inTable true when the line above was a row of a table
 * @returns `wait` when more text is needed
 */
export function judgeLineStart(text: string, from: number, final: boolean, inTable: boolean): LineStart {
  const indent = lengthAt(INDENT, text, from);
  const at = from + indent;
  const first = text.charAt(at);
  if (first === '') return !final && indent < MAX_LINE_HEAD ? WAIT : { kind: 'text', length: indent };
  if (first === '\n') return { kind: 'blank', length: indent + 1 };
  const end = text.indexOf('\n', at);
  const whole = end !== -1 || final;
  const left = text.length - at;
  const line = text.slice(at, end === -1 ? at + MAX_LINE : end);
  const length = indent + line.length + (end === -1 ? 0 : 1);
  if (inTable || first === '|') {
    if (!whole && left < MAX_LINE && (hasEarlyBar(line) || line.length < MAX_LINE_HEAD)) return WAIT;
    if (whole && isRow(line, inTable)) return { kind: 'row', length, line };
  }
  if (first === '`' || first === '~') {
    if (!whole && left < MAX_FENCE && FENCE_START.test(line)) return WAIT;
    const fence = FENCE.exec(line);
    if (fence && !(first === '`' && fence[2]!.includes('`'))) {
      const close = new RegExp(`^[ \\t>]*${first}{${fence[1]!.length},}[ \\t]*$`);
      return { kind: 'fence', length, close };
    }
  }
  if (first === '#') {
    if (!whole && /^#{1,6}$/.test(line)) return WAIT;
    const heading = lengthAt(HEADING, text, at);
    if (heading > 0) return { kind: 'block', length: indent + heading };
  }
  if (first === '>') return { kind: 'quote', length: indent + 1 };
  if (/[-*_=]/.test(first)) {
    const rule = lengthAt(RULE, text, at);
    if (rule === left && !final && rule < MAX_FENCE) return WAIT;
    const marks = text.slice(at, at + rule).replace(/[ \t]/g, '').length;
    const fills = rule === left || text.charAt(at + rule) === '\n';
    if ((fills && marks >= (/[-=]/.test(first) ? 2 : 3)) || rule >= MAX_FENCE)
      return { kind: 'rule', length: indent + rule };
  }
  const bullet = lengthAt(BULLET, text, at);
  if (bullet > 0) {
    // A task box may follow.
    if (!whole && bullet + 4 > left && /(?:^|[ \t])\[?[ xX]?\]?$/.test(line)) return WAIT;
    return { kind: 'block', length: indent + bullet };
  }
  if (first === '[') {
    const definition = lengthAt(DEFINITION, text, at);
    if (definition > 0 && whole) return { kind: 'definition', length: indent + definition };
    if (!whole && left < MAX_DEFINITION && /^\[[^\]\n]{0,100}(?:\](?::[^\n]*)?)?$/.test(line)) return WAIT;
  }
  // A table may begin without a bar; its second line decides.
  const head = lengthAt(LINE_HEAD, text, at);
  const stop = text.charAt(at + head);
  if (stop === '' && !final && head < MAX_LINE_HEAD) return WAIT;
  if (stop === '|') {
    if (!whole && left < MAX_LINE) return WAIT;
    if (end !== -1) {
      const below = text.indexOf('\n', end + 1);
      const next = text.slice(end + 1, below === -1 ? end + MAX_LINE : below);
      if (below === -1 && !final && next.length < MAX_LINE && /^[ \t|:-]*$/.test(next)) return WAIT;
      if (next.includes('|') && isDelimiterRow(next)) return { kind: 'row', length, line };
    }
  }
  return { kind: 'text', length: indent };
}

/** True for the second line of a table: `|---|:-:|`. */
export function isDelimiterRow(line: string): boolean {
  return DELIMITER_ROW.test(line.replace(/[ \t]/g, ''));
}

/** True when a bar comes early in the line, as in a table row without a leading bar. */
function hasEarlyBar(line: string): boolean {
  return line.slice(0, MAX_LINE_HEAD).replaceAll('\\|', '').includes('|');
}

function isRow(line: string, inTable: boolean): boolean {
  const bars = line.replaceAll('\\|', '').split('|').length - 1;
  return line.startsWith('|') ? bars >= 2 : inTable && hasEarlyBar(line);
}

/** Length of a match of a sticky pattern at an index, 0 for none. */
function lengthAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

import { BridgeError } from '../base/errors.js';

/**
 * Splits a command line into words as a shell would for plain words and quotes, and does nothing else that a shell does.
 * A backslash only escapes a quote, a space or itself, so Windows paths can be written as they are.
 * @throws BridgeError OPTION_INVALID for a quote that does not close or a line without a word
 */
export function splitCommand(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    const next = line.charAt(at + 1);
    if (
      character === '\\' &&
      quote !== "'" &&
      (next === '"' || next === '\\' || (!quote && /['\s]/.test(next)))
    ) {
      word = (word ?? '') + next;
      at++;
    } else if (character === quote) {
      quote = undefined;
    } else if (!quote && (character === '"' || character === "'")) {
      quote = character;
      word ??= '';
    } else if (!quote && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote)
    throw new BridgeError(
      'OPTION_INVALID',
      `The command has a quote (${quote}) that does not close: ${line}`,
    );
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new BridgeError('OPTION_INVALID', 'The command is empty.');
  return words;
}

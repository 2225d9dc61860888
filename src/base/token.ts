import { createHash, timingSafeEqual } from 'node:crypto';
import { BridgeError } from './errors.js';
import { readTextFileSync } from './text-file.js';

/**
 * Pattern of a token: valid unescaped in a header, a URL and a WebSocket subprotocol, and too long to guess.
 */
export const TOKEN_PATTERN = /^[\w.~-]{16,256}$/;
/** `TOKEN_PATTERN` in words. */
export const TOKEN_RANGE = '16 to 256 letters, digits, dots, dashes, tildes or underscores';

/**
 * Returns a function that compares a caller's token with the secret in constant time: it compares hashes,
 * which have the same length.
 */
export function tokenMatcher(secret: string): (given: string | null | undefined) => boolean {
  const expected = sha256(secret);
  return (given) => typeof given === 'string' && timingSafeEqual(sha256(given), expected);
}

/**
 * Reads the token of the service, from the option itself or from a file.
 * @throws BridgeError OPTION_INVALID, FILE_NOT_FOUND or FILE_UNREADABLE; the message never contains the token
 */
export function readToken(options: {
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
}): string | undefined {
  const { token, tokenFile } = options;
  if (token !== undefined && tokenFile !== undefined) {
    throw new BridgeError('OPTION_INVALID', 'There is both a token and a token file: give one of them.');
  }
  if (tokenFile === undefined) return token;
  const text = readTextFileSync(tokenFile).trim();
  if (TOKEN_PATTERN.test(text)) return text;
  throw new BridgeError(
    'OPTION_INVALID',
    `The token in ${tokenFile} cannot be used: it must be ${TOKEN_RANGE}.`,
  );
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}

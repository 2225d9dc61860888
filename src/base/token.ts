import { createHash, timingSafeEqual } from 'node:crypto';
import { BridgeError } from './errors.js';
import { readTextFileSync } from './text-file.js';

/** A token: fit for a header, an address and a WebSocket's subprotocol as it stands, and too long to be guessed. */
export const TOKEN_PATTERN = /^[\w.~-]{16,256}$/;
/** `TOKEN_PATTERN` in words. */
export const TOKEN_RANGE = '16 to 256 letters, digits, dots, dashes, tildes or underscores';

/**
 * Compares what callers bring with a secret, in a time that tells nothing of where they differ: hashes are of one length,
 * and are compared whole.
 */
export function tokenMatcher(secret: string): (given: string | null | undefined) => boolean {
  const expected = sha256(secret);
  return (given) => typeof given === 'string' && timingSafeEqual(sha256(given), expected);
}

/**
 * The token of the service: given itself, or in a file.
 * @throws BridgeError OPTION_INVALID, FILE_NOT_FOUND or FILE_UNREADABLE; never with the token in it
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

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { BridgeError } from './errors.js';
import { fileError } from './file-error.js';

/**
 * Reads a text file: configuration, cues, tags, a dictionary.
 * @returns its text without a byte order mark
 * @throws BridgeError FILE_NOT_FOUND; FILE_UNREADABLE also when its bytes are not valid text
 */
export async function readTextFile(path: string): Promise<string> {
  try {
    return decodeTextFile(await readFile(path), path);
  } catch (error) {
    throw fileError(error, path);
  }
}

/** Reads a short text file synchronously; see `readTextFile`. */
export function readTextFileSync(path: string): string {
  try {
    return decodeTextFile(readFileSync(path), path);
  } catch (error) {
    throw fileError(error, path);
  }
}

/**
 * Decodes UTF-8, and UTF-16 in either byte order: Windows PowerShell 5 writes UTF-16 with its `>`.
 * @param path name of the file in errors
 * @throws BridgeError FILE_UNREADABLE when the bytes are neither
 */
export function decodeTextFile(bytes: Uint8Array, path: string): string {
  const encoding = encodingOf(bytes);
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new BridgeError(
      'FILE_UNREADABLE',
      `'${path}' is not ${encoding.toUpperCase()} text. Save it as UTF-8.`,
    );
  }
}

function encodingOf(bytes: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  // ASCII in UTF-16 without a mark has a zero in every other byte; UTF-8 text does not.
  if (first === 0 && second !== undefined && second !== 0) return 'utf-16be';
  if (second === 0 && first !== undefined && first !== 0) return 'utf-16le';
  return 'utf-8';
}

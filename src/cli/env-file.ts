import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { BridgeError } from '../base/errors.js';
import type { Env } from './flags.js';

/**
 * The variables that a file of `NAME=value` lines holds.
 * @throws BridgeError FILE_NOT_FOUND or FILE_UNREADABLE
 */
export function readEnvFile(path: string): Env {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw code === 'ENOENT'
      ? new BridgeError('FILE_NOT_FOUND', `There is no file ${path}.`, { cause: error })
      : new BridgeError('FILE_UNREADABLE', `${path} cannot be read: ${message}.`, { cause: error });
  }
}

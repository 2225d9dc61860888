import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { BridgeError } from '../base/errors.js';
import { fileError } from '../base/file-error.js';

/** A certificate chain and its key, in PEM. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Only port on which avatars use TLS (protocol.md §1). */
export const AVATAR_TLS_PORT = 443;

/**
 * Reads a certificate and its key, and checks that they can be used.
 * @returns undefined when neither is given
 * @throws BridgeError TLS_INVALID, FILE_NOT_FOUND or FILE_UNREADABLE
 */
export function readTls(certPath: string | undefined, keyPath: string | undefined): TlsFiles | undefined {
  if (certPath === undefined && keyPath === undefined) return undefined;
  if (certPath === undefined || keyPath === undefined) {
    const [given, missing] =
      certPath === undefined ? ['--tls-key', '--tls-cert'] : ['--tls-cert', '--tls-key'];
    throw new BridgeError('TLS_INVALID', `There is ${given} without ${missing}.`);
  }
  const files = { cert: readPem(certPath), key: readPem(keyPath) };
  try {
    createSecureContext(files);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BridgeError('TLS_INVALID', `${certPath} and ${keyPath} cannot be used for TLS: ${reason}.`, {
      cause: error,
    });
  }
  return files;
}

/** Reads a file. @throws BridgeError FILE_NOT_FOUND or FILE_UNREADABLE */
export function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw fileError(error, path);
  }
}

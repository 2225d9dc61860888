import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { BridgeError } from '../base/errors.js';
import { readFile } from '../source/file.js';
import { parseHttpUrl, urlLabel } from '../source/http-get.js';
import { pathOf } from '../source/open.js';
import { soundBytes } from '../source/url.js';

/** A sound named on the command line. */
export interface NamedSound {
  readonly label: string;
  /** Returns its bytes, read as they are taken. */
  open(): AsyncIterable<Uint8Array>;
}

/**
 * Returns the sounds named on the command line: paths, addresses, and `-` for standard input. Each file is checked at
 * once, so that a wrong one is reported before anything is spoken.
 * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE, SOUND_EMPTY, OPTION_INVALID
 */
export async function namedSounds(names: readonly string[], stdin: Readable): Promise<NamedSound[]> {
  if (names.filter((name) => name === '-').length > 1) {
    throw new BridgeError('OPTION_INVALID', 'Standard input (-) can be spoken only once.');
  }
  const sounds: NamedSound[] = [];
  for (const name of names) {
    if (name === '-') sounds.push({ label: 'standard input', open: () => stdin });
    else if (/^https?:\/\//i.test(name)) {
      // Fetched here and not by the service, with the user's own network access.
      const url = parseHttpUrl(name);
      const label = urlLabel(url);
      const { signal } = new AbortController();
      sounds.push({ label, open: () => soundBytes(url, label, { allowPrivate: true }, signal) });
    } else {
      const path = pathOf(name);
      await checkFile(path);
      const { signal } = new AbortController();
      // A name can contain line breaks, which must not appear in a message.
      const label = basename(path).replace(/\p{Cc}+/gu, ' ');
      sounds.push({ label, open: () => readFile(path, signal) });
    }
  }
  return sounds;
}

/** Reads the first bytes. A pipe can be read only once, so it is not checked. */
async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found && !found.isFile() && !found.isDirectory()) return;
  for await (const chunk of readFile(path, new AbortController().signal)) {
    if (chunk.length > 0) return;
  }
  throw new BridgeError('SOUND_EMPTY', `'${path}' is empty: it has not one byte.`);
}

import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BridgeError } from '../../base/errors.js';
import type { EncodedChunk } from '../pcm.js';

/** The most that is kept on disk for one sound: about nine hours of AAC. */
const MAX_SPOOLED_BYTES = 512 * 1024 * 1024;

/** A sound that had to be stored before it could be read. */
export interface Spooled {
  readonly path: string;
  /** Removes it from the disk. */
  remove(): Promise<void>;
}

/**
 * Stores a stream in a file of its own that no other user can read.
 * @param label how messages name the sound
 * @throws BridgeError SOUND_TOO_LARGE, SOURCE_FAILED when the disk is full, the signal's reason, and what the source throws
 */
export async function spool(
  chunks: AsyncIterable<EncodedChunk>,
  label: string,
  signal: AbortSignal,
  maxBytes = MAX_SPOOLED_BYTES,
): Promise<Spooled> {
  const folder = await mkdtemp(join(tmpdir(), 'mmdagent-bridge-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'sound');
    const file = await open(path, 'wx', 0o600);
    try {
      let bytes = 0;
      for await (const chunk of chunks) {
        signal.throwIfAborted();
        bytes += chunk.length;
        if (bytes > maxBytes)
          throw new BridgeError(
            'SOUND_TOO_LARGE',
            `${label} has its index at the end, so it must be stored before it can be read, and it is larger than ` +
              `${Math.floor(maxBytes / 2 ** 20)} MiB.`,
          );
        await file.appendFile(chunk);
      }
    } finally {
      await file.close();
    }
    return { path, remove };
  } catch (error) {
    await remove();
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC')
      throw new BridgeError('SOURCE_FAILED', `There is no room on the disk to store ${label}.`, {
        cause: error,
      });
    throw error;
  }
}

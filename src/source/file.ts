import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { abortable } from '../base/abortable.js';
import { fileError } from '../base/file-error.js';
import type { EncodedChunk, Sound } from '../audio/pcm.js';
import { decodeSound, type DecodeOptions } from '../audio/probe.js';

const READ_BYTES = 65_536;

/**
 * Makes a sound of a file of any known format. The file is opened and read only as it is played.
 * @param path relative to the working folder; may be a named pipe
 */
export function fileSound(path: string, options: DecodeOptions = {}): Sound {
  const label = basename(path) || path;
  return {
    label,
    live: false,
    async *open(context) {
      // A pipe can be read only once.
      const isFile = await stat(path).then(
        (found) => found.isFile(),
        () => false,
      );
      const bytes = readFile(path, context.signal);
      yield* decodeSound(bytes, label, context, { ...options, path: isFile ? resolve(path) : undefined });
    },
  };
}

/**
 * Reads a file in chunks of 64 KB, each after the previous one was taken.
 * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE; the signal's reason when it is aborted
 */
export async function* readFile(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<EncodedChunk, void, undefined> {
  signal.throwIfAborted();
  let file: FileHandle | undefined;
  try {
    // Opening and reading a pipe block until the other side writes, so both must end at the signal.
    const opening = open(path);
    file = await abortable(opening, signal).catch((error: unknown) => {
      if (signal.aborted) opening.then((late) => late.close()).catch(() => undefined);
      throw error;
    });
    for (;;) {
      // A new buffer for each chunk, because the consumer may keep it.
      const { bytesRead, buffer } = await abortable(file.read(Buffer.allocUnsafeSlow(READ_BYTES)), signal);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw signal.aborted ? error : fileError(error, path, 'sound file');
  } finally {
    const closing = file?.close().catch(() => undefined);
    if (!signal.aborted) await closing;
  }
}

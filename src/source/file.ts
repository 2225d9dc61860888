import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { abortable } from '../base/abortable.js';
import { fileError } from '../base/file-error.js';
import type { EncodedChunk, Sound } from '../audio/pcm.js';
import { planIndexFirst } from '../audio/decode/index-first.js';
import { decodeSound, type DecodeOptions } from '../audio/probe.js';

const READ_BYTES = 65_536;

/**
 * A file of any known format. Nothing is touched before it is opened, and it is read as it is spoken, never ahead.
 * @param path relative to the working folder; a named pipe will do
 */
export function fileSound(path: string, options: DecodeOptions = {}): Sound {
  const label = basename(path) || path;
  return {
    label,
    live: false,
    open: (context) => decodeSound(readFile(path, context.signal), label, context, options),
  };
}

/**
 * The bytes of a file, 64 KB at a time, each read when the one before has been taken. Where a container has its index
 * behind its sound, the index comes first: it could not be read front to back otherwise.
 * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE, SOUND_BROKEN; the signal's reason when it is aborted
 */
export async function* readFile(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<EncodedChunk, void, undefined> {
  signal.throwIfAborted();
  let file: FileHandle | undefined;
  try {
    // A pipe's opening and reading last until the other side writes, so neither may outlast the signal.
    const opening = open(path);
    file = await abortable(opening, signal).catch((error: unknown) => {
      if (signal.aborted) opening.then((late) => late.close()).catch(() => undefined);
      throw error;
    });
    const plan = (await file.stat()).isFile() ? await planIndexFirst(reader(file, signal), path) : undefined;
    if (plan) {
      const { index, leadBytes, indexAt } = plan;
      yield* stretch(file, 0, leadBytes, signal);
      yield index;
      yield* stretch(file, leadBytes, indexAt, signal);
      yield* stretch(file, indexAt + index.length, Infinity, signal);
      return;
    }
    for (;;) {
      // A fresh buffer each time: whoever takes the chunk may keep it.
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

/** Bytes of a file at a place. */
function reader(file: FileHandle, signal: AbortSignal) {
  return async (at: number, bytes: number): Promise<Uint8Array> => {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    let filled = 0;
    while (filled < bytes) {
      const { bytesRead } = await abortable(file.read(buffer, filled, bytes - filled, at + filled), signal);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  };
}

async function* stretch(
  file: FileHandle,
  from: number,
  to: number,
  signal: AbortSignal,
): AsyncGenerator<EncodedChunk, void, undefined> {
  const read = reader(file, signal);
  for (let at = from; at < to;) {
    const chunk = await read(at, Math.min(READ_BYTES, to - at));
    if (chunk.length === 0) return;
    yield chunk;
    at += chunk.length;
  }
}

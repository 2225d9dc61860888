import { rmSync } from 'node:fs';
import { mkdtemp, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BridgeError } from '../../base/errors.js';
import type { EncodedChunk } from '../pcm.js';

const MIB = 2 ** 20;
const PREFIX = 'mmdagent-bridge-sound-';

/** Limits of temporary files. */
export interface TemporaryLimits {
  /** Maximum size of one sound. */
  readonly maxBytes: number;
  /** Maximum size of all open sounds of this process. */
  readonly maxInAllBytes: number;
}

const LIMITS: TemporaryLimits = { maxBytes: 64 * MIB, maxInAllBytes: 256 * MIB };

/** A sound in a temporary file. */
export interface TemporaryFile {
  readonly path: string;
  /** Deletes the file; safe to call again. */
  remove(): Promise<void>;
}

/** Size of all temporary files of this process, in bytes. */
let writtenInAll = 0;
/** Folder of the files, created at the first use; only this user can access it. */
let folder: Promise<string> | undefined;
let count = 0;

async function create(): Promise<{ file: FileHandle; path: string }> {
  folder ??= makeFolder();
  const path = join(await folder, `${++count}`);
  return { file: await open(path, 'wx', 0o600), path };
}

/**
 * Writes a whole sound to a temporary file, for a program that must seek in it. The file is deleted by
 * `remove`, at the end of this process, or, if that is killed, by the next process.
 * @param label name of the sound in messages
 * @throws BridgeError SOUND_TOO_LARGE, SOURCE_FAILED when writing fails, and the errors of `chunks`
 */
export async function toTemporaryFile(
  chunks: AsyncIterable<EncodedChunk>,
  label: string,
  limits: TemporaryLimits = LIMITS,
): Promise<TemporaryFile> {
  const { file, path } = await create()
    .catch((cause: unknown) => {
      // The folder may have been deleted.
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      folder = undefined;
      return create();
    })
    .catch((cause: unknown) => {
      throw diskError(label, cause);
    });
  let bytes = 0;
  let removing: Promise<void> | undefined;
  const remove = (): Promise<void> => {
    removing ??= rm(path, { force: true }).finally(() => (writtenInAll -= bytes));
    return removing;
  };
  try {
    for await (const chunk of chunks) {
      if (bytes + chunk.length > limits.maxBytes) throw tooLarge(label, limits.maxBytes);
      if (writtenInAll + chunk.length > limits.maxInAllBytes) throw tooMany(label, limits.maxInAllBytes);
      bytes += chunk.length;
      writtenInAll += chunk.length;
      await file.writeFile(chunk).catch((cause: unknown) => {
        throw diskError(label, cause);
      });
    }
    await file.close();
    return { path, remove };
  } catch (error) {
    await file.close().catch(() => undefined);
    await remove();
    throw error;
  }
}

/** Deletes files left behind by killed processes of this user. */
export async function sweepTemporaryFiles(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  for (const name of names) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]);
    if (!(pid > 0) || isRunning(pid)) continue;
    const path = join(tmpdir(), name);
    const found = await stat(path).catch(() => undefined);
    if (!found?.isDirectory() || (process.getuid && found.uid !== process.getuid())) continue;
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function makeFolder(): Promise<string> {
  await sweepTemporaryFiles();
  const made = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function tooLarge(label: string, maxBytes: number): BridgeError {
  return new BridgeError(
    'SOUND_TOO_LARGE',
    `${label} can only be read once all of it is there, and it is larger than ${Math.floor(maxBytes / MIB)} MiB.`,
    {
      advice:
        'Convert it to WAV, MP3, FLAC or Opus, which play while they are read. For MP4: ffmpeg -i in.m4a -c copy -movflags +faststart out.m4a',
    },
  );
}

function tooMany(label: string, maxBytes: number): BridgeError {
  return new BridgeError(
    'SOUND_TOO_LARGE',
    `${label} can only be read once all of it is there, and the ${Math.floor(maxBytes / MIB)} MiB for such sounds are taken by others.`,
    { advice: 'Try again later, or convert it to WAV, MP3, FLAC or Opus, which play while they are read.' },
  );
}

function diskError(label: string, cause: unknown): BridgeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BridgeError('SOURCE_FAILED', `${label} could not be written to a temporary file: ${reason}.`, {
    cause,
  });
}

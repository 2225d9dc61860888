import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';

/** Search paths for programs. Every field defaults to the value of the running system. */
export interface ProgramSearch {
  /** Folders to search, separated as on this system; default: the variable PATH. */
  readonly path?: string | undefined;
  /** Extensions of programs on Windows; default: the variable PATHEXT. */
  readonly pathExt?: string | undefined;
  readonly platform?: NodeJS.Platform;
}

/**
 * Extensions that Windows starts without a command shell. PATHEXT also lists .BAT and .CMD, which only a
 * shell can run, and the bridge never starts a shell.
 */
const STARTABLE = new Set(['.exe', '.com']);

const BATCH = /\.(?:cmd|bat)$/i;

/**
 * Returns the absolute path of a program on PATH, as the system's own look-up would find it.
 * @param name a bare name (`ffmpeg`), or a path, which is only checked
 * @returns undefined when there is none that this user may run
 */
export async function findProgram(name: string, search: ProgramSearch = {}): Promise<string | undefined> {
  const platform = search.platform ?? process.platform;
  const windows = platform === 'win32';
  const endings = windows ? windowsEndings(name, search.pathExt ?? process.env.PATHEXT) : [''];
  return firstRunnable(name, endings, search);
}

/**
 * Finds a batch file of that name on Windows. It is never started: `cmd.exe` would read its arguments as
 * commands.
 * @returns its absolute path; undefined when there is none or on another system
 */
export async function findBatchFile(name: string, search: ProgramSearch = {}): Promise<string | undefined> {
  if ((search.platform ?? process.platform) !== 'win32') return undefined;
  return firstRunnable(name, BATCH.test(name) ? [''] : ['.cmd', '.bat'], search);
}

async function firstRunnable(
  name: string,
  endings: readonly string[],
  search: ProgramSearch,
): Promise<string | undefined> {
  const delimiter = (search.platform ?? process.platform) === 'win32' ? ';' : ':';
  for (const folder of folders(name, search.path ?? process.env.PATH, delimiter)) {
    for (const ending of endings) {
      const path = resolve(folder, name + ending);
      if (await isRunnable(path)) return path;
    }
  }
  return undefined;
}

function folders(name: string, path = '', delimiter: string): string[] {
  if (/[/\\]/.test(name)) return ['.'];
  // Some shells read an empty entry as the current folder: a downloaded file there must not be run as a
  // recorder.
  return name === '' ? [] : path.split(delimiter).filter((folder) => isAbsolute(folder));
}

function windowsEndings(name: string, pathExt = '.COM;.EXE'): string[] {
  const endings = pathExt
    .toLowerCase()
    .split(';')
    .filter((ending) => STARTABLE.has(ending));
  return endings.some((ending) => name.toLowerCase().endsWith(ending)) ? [''] : endings;
}

async function isRunnable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';

/** Where to look for a program; every field has the running system's own value as its default. */
export interface ProgramSearch {
  /** Folders, separated as the system separates them: the variable PATH. */
  readonly path?: string | undefined;
  /** Endings of programs on Windows: the variable PATHEXT. */
  readonly pathExt?: string | undefined;
  readonly platform?: NodeJS.Platform;
}

/**
 * Endings that Windows starts without a command shell. PATHEXT also lists .BAT and .CMD, which only a shell can run,
 * and no shell is ever started here.
 */
const STARTABLE = new Set(['.exe', '.com']);

const BATCH = /\.(?:cmd|bat)$/i;

/**
 * The absolute path of a program on PATH, as the system's own look-up would find it.
 * @param name a bare name (`ffmpeg`), or a path, which is then only checked
 * @returns undefined when there is none that this user may run
 */
export async function findProgram(name: string, search: ProgramSearch = {}): Promise<string | undefined> {
  const platform = search.platform ?? process.platform;
  const windows = platform === 'win32';
  const endings = windows ? windowsEndings(name, search.pathExt ?? process.env.PATHEXT) : [''];
  return firstRunnable(name, endings, search);
}

/**
 * Finds a batch file of that name on Windows, which is never started: `cmd.exe` would read its arguments as commands.
 * @returns its absolute path, or undefined when there is none or the system is another
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
  // An empty entry means the current folder to some shells: a download there must not be run for a recorder.
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

import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { transformSync } from 'esbuild';
import { projectDir } from './paths.js';
import { TRANSLATION } from './translation.js';

/**
 * A module of the project, with all that it imports, as JavaScript; made anew only when it has changed. Processes that a
 * test starts by the hundred must not translate it each time.
 * @param entry its path below the project's top folder, ending in `.ts`
 * @returns the path of the JavaScript file
 */
export function buildForProcess(entry: string): string {
  const texts = new Map<string, string>();
  collect(entry, texts);
  const hash = createHash('sha256')
    .update(JSON.stringify([projectDir, ...texts]))
    .digest('hex');
  const done = join(tmpdir(), `mmdagent-bridge-build-${hash.slice(0, 16)}`);
  if (!existsSync(done)) make(done, texts);
  return join(done, entry.replace(/\.ts$/, '.js'));
}

function collect(file: string, texts: Map<string, string>): void {
  if (texts.has(file)) return;
  const text = readFileSync(join(projectDir, file), 'utf8');
  texts.set(file, text);
  for (const [, typeOnly, target] of text.matchAll(/(?:import|export)( type)?[^;']*?'(\.[^']+)\.js'/g)) {
    if (typeOnly === undefined)
      collect(relative(projectDir, resolve(projectDir, dirname(file), `${target}.ts`)), texts);
  }
}

function make(done: string, texts: Map<string, string>): void {
  const making = mkdtempSync(`${done}-`);
  for (const [file, text] of texts) {
    const { code } = transformSync(text, { ...TRANSLATION, loader: 'ts' });
    const path = join(making, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
  }
  cpSync(join(projectDir, 'package.json'), join(making, 'package.json'));
  symlinkSync(join(projectDir, 'node_modules'), join(making, 'node_modules'), 'junction');
  try {
    renameSync(making, done);
  } catch {
    // Another test process was quicker.
    rmSync(making, { recursive: true, force: true });
  }
}

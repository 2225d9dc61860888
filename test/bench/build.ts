import { copyFile, cp, mkdtemp, readdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build as translate } from 'esbuild';
import { inProject, projectDir } from '../support/paths.js';
import { TRANSLATION } from '../support/translation.js';

const FOLDERS = ['src', 'test/bench', 'test/support', 'test/keeper', 'test/cluster'];
/** Served as it is written. */
const PAGE = 'src/console';

/**
 * Translates the project's sources and the benches to JavaScript, without checking types.
 * @returns a new folder in which they run; the caller removes it
 */
export async function build(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mmdagent-bench-'));
  await copyFile(inProject('package.json'), join(folder, 'package.json'));
  for (const linked of ['node_modules', 'samples']) {
    await symlink(inProject(linked), join(folder, linked), 'junction');
  }
  await cp(inProject(PAGE), join(folder, PAGE), { recursive: true });
  const sources: string[] = [];
  for (const source of FOLDERS) {
    for (const name of await readdir(inProject(source), { recursive: true })) {
      if (!/\.[jt]s$/.test(name) || /\.(d|test)\.ts$/.test(name)) continue;
      if (!join(source, name).startsWith(join(PAGE, '/'))) sources.push(inProject(join(source, name)));
    }
  }
  await translate({ ...TRANSLATION, entryPoints: sources, outbase: projectDir, outdir: folder });
  return folder;
}

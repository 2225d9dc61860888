import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { inProject } from '../support/paths.js';

const FOLDERS = ['src', 'test/bench', 'test/support', 'test/keeper'];
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
  for (const source of FOLDERS) {
    for (const name of await readdir(inProject(source), { recursive: true })) {
      if (!/\.[jt]s$/.test(name) || /\.(d|test)\.ts$/.test(name)) continue;
      if (join(source, name).startsWith(join(PAGE, '/'))) continue;
      const text = await readFile(inProject(join(source, name)), 'utf8');
      const { outputText } = ts.transpileModule(text, {
        compilerOptions: {
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.ESNext,
          verbatimModuleSyntax: true,
        },
      });
      const target = join(folder, source, name.replace(/\.ts$/, '.js'));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, outputText);
    }
  }
  return folder;
}

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inProject, projectDir } from './paths.js';

/** Builds the package once before all tests, unless it is built already: the command's tests run it as users do. */
export default function build(): void {
  const built = inProject('dist/cli/main.js');
  if (existsSync(built) && statSync(built).mtimeMs > newest(inProject('src'))) return;
  rmSync(inProject('dist'), { recursive: true, force: true });
  // The native compiler writes the same JavaScript as `npm run build` in a quarter of the time.
  const tsgo = inProject('node_modules/@typescript/native-preview/bin/tsgo');
  execFileSync(process.execPath, [tsgo, '-p', 'src/tsconfig.json'], { cwd: projectDir, stdio: 'inherit' });
  // The page is served as it is written.
  cpSync(inProject('src/console'), inProject('dist/console'), { recursive: true });
}

function newest(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((latest, { parentPath, name }) => Math.max(latest, statSync(join(parentPath, name)).mtimeMs), 0);
}

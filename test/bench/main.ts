import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from './build.js';

/*
 * `npm run bench`: see run.ts for its flags; `npm run soak`: see soak.ts. The programs are translated first, as `npm run build` does it: what runs
 * TypeScript directly adds work to every function that is made, and that would be measured too.
 */
const [first, ...rest] = process.argv.slice(2);
const [script, args] = first === 'soak' ? ['soak.js', rest] : ['run.js', process.argv.slice(2)];
const folder = await build();
// A Ctrl-C reaches the whole group; the child ends by it and this process stays to clean up.
process.on('SIGINT', () => undefined);
try {
  const child = spawn(process.execPath, [join(folder, 'test/bench', script), ...args], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

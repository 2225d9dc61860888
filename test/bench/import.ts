import { spawnSync } from 'node:child_process';
import { build } from 'esbuild';
import { mkdtemp, rm, symlink, copyFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inProject } from '../support/paths.js';
import { quantile } from './statistics.js';
import type { Bench } from './table.js';

/** Time and memory of an import of the package, against a process that imports nothing. */
export const importing: Bench = {
  name: 'import',
  title: 'An import of the package, against a bare process',
  async run(quick) {
    const folder = await mkdtemp(join(tmpdir(), 'mmdagent-import-'));
    try {
      await mkdir(join(folder, 'dist'));
      await copyFile(inProject('package.json'), join(folder, 'package.json'));
      await symlink(inProject('node_modules'), join(folder, 'node_modules'), 'junction');
      await build({
        entryPoints: [inProject('src/index.ts')],
        ...({
          bundle: true,
          splitting: true,
          format: 'esm',
          platform: 'node',
          packages: 'external',
        } as const),
        outdir: join(folder, 'dist'),
        logLevel: 'error',
      });
      const module = pathToFileURL(join(folder, 'dist', 'index.js')).href;
      const rounds = quick ? 1 : 9;
      const bare = Array.from({ length: rounds }, () => measure(''));
      const loaded = Array.from({ length: rounds }, () => measure(`await import('${module}');`));
      const median = (of: readonly Measured[], key: keyof Measured): number =>
        quantile(
          of.map((one) => one[key]),
          0.5,
        );
      const what = 'bare process';
      return [
        {
          ...{ what: 'process that imports it', unit: 'ms', aim: '<= 150 ms' },
          figure: median(loaded, 'ms'),
          baseline: { what, figure: median(bare, 'ms') },
        },
        {
          ...{ what: 'its memory', unit: 'MB', aim: '<= 60 MB' },
          figure: median(loaded, 'megabytes'),
          baseline: { what, figure: median(bare, 'megabytes') },
        },
      ];
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

interface Measured {
  readonly ms: number;
  readonly megabytes: number;
}

function measure(code: string): Measured {
  const told = `${code} console.log(performance.now(), process.memoryUsage().rss / 1e6)`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', told], { encoding: 'utf8' });
  const [ms = NaN, megabytes = NaN] = stdout.trim().split(' ').map(Number);
  return { ms, megabytes };
}

import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { inProject } from '../support/paths.js';
import { quantile } from './statistics.js';
import type { Bench } from './table.js';

/** Time and memory of an import of the package, against a process that imports nothing. */
export const importing: Bench = {
  name: 'import',
  title: 'An import of the package, against a bare process',
  async run(quick) {
    // The benches run as JavaScript, and so does what they measure.
    const module = pathToFileURL(inProject('src/index.js')).href;
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

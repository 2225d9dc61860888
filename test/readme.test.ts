import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inProject } from './support/paths.js';
import { withGenerated } from './support/readme.js';

describe('the README', () => {
  const readme = readFileSync(inProject('README.md'), 'utf8');

  it('agrees with the tables in the code (npm run docs writes them anew)', () => {
    expect(withGenerated(readme)).toBe(readme);
  });

  it('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1]!);
    for (const link of links) expect(() => readFileSync(inProject(link)), link).not.toThrow(/ENOENT/);
  });
});

import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { inProject, projectDir } from '../support/paths.js';

const NAMES = [
  ...['lateness', 'cpu', 'conversion', 'decoding', 'first-frame', 'memory', 'microphone', 'browser'],
  ...['interruption', 'cues', 'links', 'position', 'text', 'service', 'nodes', 'keeper', 'extras'],
  'import',
];

describe('npm run bench', () => {
  it('measures everything and prints a table for each', { timeout: 240_000 }, () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', inProject('test/bench/main.ts'), '--quick'],
      { cwd: projectDir, encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const sections = stdout.trimEnd().split('\n\n').slice(1);
    expect(sections.map((section) => /^[\w-]+/.exec(section)![0])).toEqual(NAMES);
    for (const section of sections) {
      const [title, head, ...lines] = section.split('\n');
      if (head?.includes('not measured')) continue;
      expect(lines.length, title).toBeGreaterThan(0);
      for (const line of lines) expect(line, title).toMatch(/\d/);
    }
  });
});

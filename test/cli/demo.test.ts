import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { command, inProcess, killCommands } from '../support/command.js';
import { inProject } from '../support/paths.js';

afterEach(killCommands);

describe('demo', () => {
  it('shows the whole way and ends with 0 only if every sample was heard', async () => {
    const { exit, out, err } = await inProcess(['demo'], { columns: 100 });
    expect([exit, err]).toEqual([0, '']);
    expect(out).toContain('avatar: runs MOTION_ADD|0|greeting|greeting.vmd');
    expect(out).toMatch(/hello\.wav \[#+\.*\] \d\.\d\d s \/ 4\.41 s {2}held \d+ ms \(lead \d+\)/);
    expect(out).toMatch(/^samples expected {2}70504\nsamples heard {5}70504 /m);
    expect(out).toMatch(/^first sound {7}\d+ ms after the first frame$/m);
    expect(out.trimEnd().split('\n').at(-1)).toBe('The avatar heard every sample.');
    const shown = /what the avatar heard:\n\n```\n([^`]*)```/.exec(
      readFileSync(inProject('README.md'), 'utf8'),
    );
    expect(steady(out), 'what the README shows').toContain(steady(shown![1]!));
  });

  it('ends at Ctrl-C', async () => {
    const run = command(['demo']);
    await run.says('hello.wav: speaking');
    run.child.kill('SIGINT');
    expect([await run.exit, run.err]).toEqual([130, '']);
  });
});

/** What is left on the screen, without what differs from one run to the next and with the machine's load. */
function steady(text: string): string {
  const lines = text.split('\n').map((line) => line.split('\r\x1b[2K').at(-1));
  return lines
    .join('\n')
    .replaceAll(/^first sound .*$/gm, 'first sound')
    .replaceAll(/^gaps .*$/gm, 'gaps')
    .replaceAll(/, (no gaps|\d+ gaps? of [^,]*),/g, '');
}

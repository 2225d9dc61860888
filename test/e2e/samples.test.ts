import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { inProject, projectDir } from '../support/paths.js';

const run = promisify(execFile);

async function sample(name: string): Promise<string> {
  const { stdout } = await run(
    process.execPath,
    [inProject('node_modules/tsx/dist/cli.mjs'), `samples/${name}`, '--simulated'],
    {
      cwd: projectDir,
      timeout: 60_000,
    },
  );
  return stdout;
}

describe.concurrent('the samples run as their first lines say', () => {
  it('streaming-tts.ts', async () => {
    const output = await sample('streaming-tts.ts');
    expect(output).toMatch(/first sound after \d+ ms/);
    expect(output).toMatch(/completed: heard 4\d{3} ms, \d+ gaps/);
  });

  it('timed-gestures.ts', async () => {
    const output = await sample('timed-gestures.ts');
    expect(output).toMatch(/1200 ms {2}MOTION_ADD\|0\|point/);
    expect(output).toMatch(/completed: heard 4\d{3} ms, 3 cues/);
  });

  it('live-audio.ts', async () => {
    expect(await sample('live-audio.ts')).toMatch(/completed: heard [12]\d{3} ms/);
  });

  it('dialogue.ts', async () => {
    const output = await sample('dialogue.ts');
    expect(output).toMatch(/user: {3}こんにちは/);
    expect(output).toMatch(/avatar: stopped after \d+ ms/);
    expect(output).toMatch(/avatar: completed after 4\d{3} ms/);
  });
});

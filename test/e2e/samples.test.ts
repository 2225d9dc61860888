import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { killCommands, start } from '../support/command.js';
import { describeWith } from '../support/needs.js';
import { inProject, projectDir } from '../support/paths.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';
import { sine } from '../support/signals.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { wavOf } from '../support/wav.js';

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

await describeWith(['python3'], 'the samples in Python run as their first lines say', () => {
  let rig: ServiceRig;
  const folder = mkdtempSync(join(tmpdir(), 'samples-'));
  const short = join(folder, 'short.wav');
  writeFileSync(short, wavOf(sine(16_000, 440, 9000)));
  afterAll(() => rmSync(folder, { recursive: true }));
  afterEach(async () => {
    await killCommands();
    await rig.close();
  });

  it('speak.py', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const run = start('python3', [
      inProject('samples/speak.py'),
      inProject('samples/hello.wav'),
      rig.service.url,
    ]);
    expect(await run.exit, run.err).toBe(0);
    expect(run.out).toMatch(/agents: default \(ready\)/);
    expect(run.out).toMatch(/"how": "completed"/);
    const lines = avatar.report().commands.map(({ line }) => line);
    expect(lines).toEqual(expect.arrayContaining(['MOTION_ADD|0|bow|bow.vmd', 'MOTION_ADD|0|nod|nod.vmd']));
  });

  it('stream.py', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const args = [
      inProject('samples/stream.py'),
      inProject('samples/hello.wav'),
      '127.0.0.1',
      String(rig.port),
    ];
    const run = start('python3', args);
    expect(await run.exit, run.out + run.err).toBe(0);
    expect(run.out).toMatch(/completed/);
    expect(avatar.report().samplesHeard).toBeGreaterThan(15_000);
  });

  it('dialogue.py', async () => {
    const engine = new FakeEngine();
    rig = await startService({ say: { engine } });
    const avatar = await rig.avatar();
    const run = start('python3', [inProject('samples/dialogue.py'), rig.service.url]);
    await run.says('listening: ready');
    // A simulated avatar echoes what it is sent, so that the events of a recogniser can be played through it.
    const agent = rig.bridge.agent();
    const says = async (text: string): Promise<void> => {
      await agent.send('RECOG_EVENT_START');
      await agent.send(`RECOG_EVENT_STOP|${text}`);
    };
    await says('こんにちは');
    await until(() => agent.snapshot().speaking);
    await until(() => agent.speeches[0]!.positionMs > 300);
    await says('OK');
    await run.says(/interrupted after \d+ ms/);
    await run.says('avatar: stopped');
    await run.says(/avatar: completed after \d+ ms/);
    expect(run.out).toMatch(/user: {3}こんにちは[^]*user: {3}OK/);
    expect(engine.texts.some((text) => text.includes('You said: こんにちは'))).toBe(true);
    expect(avatar.report().commands.map(({ line }) => line)).toContain('MOTION_ADD|0|nod|nod.vmd');
    run.child.kill('SIGINT');
    expect(await run.exit, run.err).toBe(0);
  });
});

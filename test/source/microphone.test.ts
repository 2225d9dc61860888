import { afterEach, describe, expect, it } from 'vitest';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { PcmBlock, Sound } from '../../src/audio/pcm.js';
import { listRecorders } from '../../src/source/devices.js';
import { microphoneSound } from '../../src/source/microphone.js';
import type { RecorderName } from '../../src/source/recorders/recorder.js';
import { fakePath } from '../support/fake-programs.js';
import { inProject } from '../support/paths.js';
import { notingContext } from '../support/sound-context.js';

const restores: (() => void)[] = [];
afterEach(() => {
  for (const restore of restores.splice(0)) restore();
});

function programs(scripts: Readonly<Record<string, string>>): void {
  restores.push(fakePath(scripts));
}

/** Opens a sound, takes what comes until it fails, and returns both. */
async function drain(sound: Sound, context = notingContext()) {
  let samples = 0;
  try {
    for await (const block of sound.open(context)) samples += block.samples.length;
    return { samples, error: undefined };
  } catch (error) {
    return { samples, error: error as Error };
  }
}

const SPEAKS = '/usr/bin/head -c 9601 /dev/urandom';

describe('microphoneSound', () => {
  it('refuses a recorder that is not in the list, whatever it is', () => {
    for (const recorder of ['/bin/sh', '../evil', 'toString', ''])
      expect(() => microphoneSound({ recorder: recorder as RecorderName })).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
  });

  it('says what is missing and how to get it', async () => {
    programs({});
    const { error } = await drain(microphoneSound({ recorder: 'parec' }));
    expect(error).toMatchObject({
      code: 'RECORDER_MISSING',
      message: 'The recorder parec is not installed, or not on PATH.',
    });
    const auto = await drain(microphoneSound());
    expect(auto.error).toMatchObject({ code: 'RECORDER_MISSING' });
    expect(auto.error?.message).toMatch(/parec, pw-record, arecord/);
  });

  it.each(['parec', 'sox', 'rec'] as const)(
    'gives the last words of %s when it cannot open the device',
    async (recorder) => {
      programs({ [recorder]: 'echo first >&2; echo Stream error: No such entity. >&2; exit 1' });
      const { error, samples } = await drain(microphoneSound({ recorder, device: 'nope' }));
      expect(samples).toBe(0);
      expect(error).toMatchObject({
        code: 'RECORDER_FAILED',
        message: `${recorder} ended before any sound came (status 1): first; Stream error: No such entity.`,
      });
    },
  );

  it.each(['arecord', 'sox'] as const)(
    'gives all the sound that came, then an error, when %s ends by itself',
    async (recorder) => {
      programs({ [recorder]: `${SPEAKS}; echo read error: No such device >&2; exit 1` });
      const context = notingContext();
      const { error, samples } = await drain(microphoneSound({ recorder }), context);
      // An odd number of bytes: the half sample at the end is none.
      expect(samples).toBe(4800);
      expect(error).toMatchObject({ code: 'RECORDER_FAILED' });
      expect(error?.message).toMatch(
        /ended by itself \(status 1\).*unplugged: read error: No such device\.$/,
      );
      expect(context.infos).toEqual([
        { format: `microphone through ${recorder}, 16-bit PCM`, sampleRateHz: 48_000, channels: 1 },
      ]);
    },
  );

  it('takes an end with status 0 for a failure too: a microphone does not end', async () => {
    programs({ parec: SPEAKS });
    const { error } = await drain(microphoneSound({ recorder: 'parec' }));
    expect(error).toMatchObject({ code: 'RECORDER_FAILED' });
  });

  it.each(['parec', 'sox'] as const)(
    'gives up on %s when it gives no sound, and ends it',
    async (recorder) => {
      programs({ [recorder]: 'echo waiting >&2; exec /bin/sleep 600' });
      const sound = microphoneSound({ recorder, noDataMs: 300 });
      const { error } = await drain(sound);
      expect(error).toMatchObject({
        code: 'RECORDER_FAILED',
        message: `${recorder} gave no sound for 0.3 s: waiting.`,
      });
    },
  );

  it('gives up on a recorder that falls silent in the middle', async () => {
    programs({ parec: `${SPEAKS}; exec /bin/sleep 600` });
    const { error, samples } = await drain(microphoneSound({ recorder: 'parec', noDataMs: 300 }));
    expect(samples).toBe(4800);
    expect(error?.message).toBe('parec gave no sound for 0.3 s.');
  });

  it('tries the next recorder with auto, as long as no sound has come', async () => {
    programs({
      parec: 'echo Connection refused >&2; exit 1',
      arecord: `${SPEAKS}; exit 1`,
      sox: 'exec /bin/cat /dev/zero',
    });
    const sound = microphoneSound();
    const { error, samples } = await drain(sound);
    expect(sound.recorder).toBe('arecord');
    expect(samples).toBe(4800);
    expect(error?.message).toMatch(/^arecord ended by itself/);
  });

  it('tells of every recorder that auto tried', async () => {
    programs({
      parec: 'echo Connection refused >&2; exit 1',
      arecord: 'echo no soundcards >&2; exit 1',
      sox: 'exit 2',
    });
    const { error } = await drain(microphoneSound());
    expect(error).toMatchObject({ code: 'RECORDER_FAILED' });
    expect(error?.message).toMatch(/parec .*Connection refused.* arecord .*no soundcards.* sox .*status 2/);
  });

  it('does not take a pw-record that cannot write raw sound', async () => {
    programs({ 'pw-record': 'echo "pw-cat [options] <file>"' });
    const { error } = await drain(microphoneSound({ recorder: 'pw-record' }));
    expect(error).toMatchObject({ code: 'RECORDER_MISSING' });
  });

  it.each(['parec', 'sox'] as const)('ends %s when nobody wants the rest', async (recorder) => {
    const folder = mkdtempSync(join(tmpdir(), 'pid-'));
    restores.push(() => rmSync(folder, { recursive: true }));
    const pidFile = join(folder, 'pid');
    programs({ [recorder]: `echo $$ > ${pidFile}; while :; do echo sound; /bin/sleep 0.02; done` });
    const context = notingContext();
    const blocks = microphoneSound({ recorder }).open(context)[Symbol.asyncIterator]();
    expect((await blocks.next()).done).toBe(false);
    const waiting = (async () => {
      for (;;) await blocks.next();
    })();
    context.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(() => process.kill(Number(readFileSync(pidFile, 'utf8')), 0)).toThrow('ESRCH');
  });

  it.each(['parec', 'sox'] as const)(
    'drops the oldest of %s when nobody takes it, counts it, and says so at most every ten seconds',
    async (recorder) => {
      programs({ [recorder]: '/usr/bin/head -c 4000000 /dev/urandom; exec /bin/sleep 600' });
      const context = notingContext();
      const sound = microphoneSound({ recorder, maxQueuedMs: 200 });
      const blocks = sound.open(context)[Symbol.asyncIterator]();
      let taken = ((await blocks.next()) as IteratorYieldResult<PcmBlock>).value.samples.length;
      // All of it has come when nothing more is dropped.
      for (let calm = 0, before = -1, i = 0; i < 500 && calm < 15; i++) {
        await setTimeout(20);
        calm = sound.droppedMs > 40_000 && sound.droppedMs === before ? calm + 1 : 0;
        before = sound.droppedMs;
      }
      expect(context.warnings).toHaveLength(1);
      expect(context.warnings[0]).toMatch(/^\d+ ms of the microphone were dropped/);
      const dropped = Math.round(sound.droppedMs * 48);
      while (taken + dropped < 2_000_000) taken += ((await blocks.next()).value as PcmBlock).samples.length;
      expect(taken + dropped).toBe(2_000_000);
      expect(Math.round(sound.droppedMs * 48)).toBe(dropped);
      context.abort();
      await blocks.return?.();
      expect(context.warnings).toHaveLength(2);
      expect(context.warnings[1]).toMatch(
        new RegExp(`\\(${Math.round(sound.droppedMs)} ms since the start\\)`),
      );
    },
  );

  it('passes on what a recorder prints while it records', async () => {
    programs({
      arecord: `/usr/bin/head -c 4000 /dev/urandom; /bin/sleep 0.2; echo 'overrun!!! (at least 12 ms long)' >&2; /bin/sleep 0.2; exit 1`,
    });
    const context = notingContext();
    await drain(microphoneSound({ recorder: 'arecord' }), context);
    expect(context.warnings).toEqual(['arecord: overrun!!! (at least 12 ms long)']);
  });

  it('asks whether the microphone is muted when nothing but zeros comes', async () => {
    programs({ parec: '/usr/bin/head -c 600000 /dev/zero' });
    const context = notingContext();
    await drain(microphoneSound({ recorder: 'parec', maxQueuedMs: 60_000 }), context);
    expect(context.warnings).toEqual(['The microphone gives nothing but digital silence. Is it muted?']);
  });

  it('applies the gain and clamps', async () => {
    programs({ parec: `printf '\\350\\003\\030\\374\\377\\177'` });
    const blocks: number[] = [];
    const sound = microphoneSound({ recorder: 'parec', gainDb: 6.0206 });
    await expect(async () => {
      for await (const block of sound.open(notingContext())) blocks.push(...block.samples);
    }).rejects.toThrow();
    expect(blocks).toEqual([2000, -2000, 32_767]);
  });
});

describe('the module of the microphone', () => {
  // The test runner is kinder to CommonJS libraries than Node is.
  it('is loaded by Node itself, with the library that drives SoX', () => {
    const module = JSON.stringify(inProject('src/source/microphone.ts'));
    const script = `import { microphoneSound } from ${module}; console.log(microphoneSound().label);`;
    const answer = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
      cwd: inProject(''),
      encoding: 'utf8',
    });
    expect(answer.stderr).toBe('');
    expect(answer.stdout).toBe('microphone\n');
  });
});

describe('listRecorders', () => {
  it('reports one recorder that fails beside the others', async () => {
    programs({
      parec: 'exit 0',
      pactl: 'echo Connection refused >&2; exit 1',
      arecord: `printf 'default\\n    The default\\nnull\\n    Nothing\\n'`,
    });
    const reports = await listRecorders(new AbortController().signal);
    const report = (name: string) => reports.find(({ recorder }) => recorder === name);
    expect(report('parec')).toMatchObject({ devices: [], error: { code: 'RECORDER_FAILED' } });
    expect(report('parec')?.error?.message).toMatch(/Connection refused/);
    expect(report('arecord')?.devices).toEqual([
      { id: 'default', description: 'The default', isDefault: true, isMonitor: false },
    ]);
    expect(report('sox')).toMatchObject({ path: undefined, devices: [] });
    expect(report('sox')?.install).toMatch(/sox/);
  });
});

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { WavRecording } from '../../src/audio/save.js';
import type { BridgeError } from '../../src/base/errors.js';
import { fileSound } from '../../src/source/file.js';
import { inProject } from '../support/paths.js';
import { concat, cut, noise, sameSound } from '../support/signals.js';
import { notingContext } from '../support/sound-context.js';

const folder = mkdtempSync(join(tmpdir(), 'save-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = (): string => join(folder, `heard-${files++}.wav`);

/** What the project's own reader makes of it; it fails or warns when the sizes in the head are wrong. */
async function read(path: string): Promise<{ samples: Int16Array; warnings: string[]; rate: number }> {
  const context = notingContext();
  const blocks: Int16Array[] = [];
  for await (const { samples } of fileSound(path).open(context)) blocks.push((samples as Int16Array).slice());
  return { samples: concat(blocks), warnings: context.warnings, rate: context.infos[0]!.sampleRateHz };
}

describe('WavRecording', () => {
  it('holds exactly what was written, with a header that fits', async () => {
    const path = newPath();
    const sound = noise(50_000, 30_000);
    const recording = await WavRecording.open(path);
    for (const piece of cut(sound, 3000)) recording.write(piece);
    await Promise.all([recording.close(), recording.close()]);
    const { samples, warnings, rate } = await read(path);
    expect(sameSound(samples, sound)).toBe(true);
    expect(warnings).toEqual([]);
    expect(rate).toBe(16_000);
    const bytes = readFileSync(path);
    expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8);
    expect(bytes.readUInt32LE(40)).toBe(100_000);
  });

  it('copies what it is given', async () => {
    const path = newPath();
    const recording = await WavRecording.open(path);
    const samples = Int16Array.of(1, 2, 3);
    recording.write(samples.subarray(1));
    samples.fill(9);
    await recording.close();
    expect([...(await read(path)).samples]).toEqual([2, 3]);
  });

  it('replaces a longer file that was there, and is whole when nothing was written', async () => {
    const path = newPath();
    writeFileSync(path, Buffer.alloc(10_000, 1));
    const recording = await WavRecording.open(path, { sampleRateHz: 48_000, channels: 2 });
    await recording.close();
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(44);
    expect([bytes.readUInt16LE(22), bytes.readUInt32LE(24), bytes.readUInt32LE(40)]).toEqual([2, 48_000, 0]);
  });

  it('fits its header to what is there while it is being written', async () => {
    const path = newPath();
    const recording = await WavRecording.open(path, { headerEveryMs: 0 });
    const sound = noise(16_000, 20_000);
    for (let at = 0; at < sound.length; at += 1600) {
      recording.write(sound.subarray(at, at + 1600));
      await setTimeout(15);
      if (!existsSync(path)) continue;
      const bytes = readFileSync(path);
      if (bytes.length > 44) expect(bytes.readUInt32LE(40)).toBeLessThanOrEqual(bytes.length - 44);
    }
    for (let tries = 0; tries < 100 && readFileSync(path).readUInt32LE(40) < 32_000; tries++)
      await setTimeout(20);
    expect(sameSound((await read(path)).samples, sound)).toBe(true);
    await recording.close();
  });

  it('leaves a sound file behind when its process is killed', async () => {
    const path = newPath();
    const script = `
      import { WavRecording } from ${JSON.stringify(inProject('src/audio/save.ts'))};
      const recording = await WavRecording.open(${JSON.stringify(path)}, { headerEveryMs: 50 });
      setInterval(() => recording.write(new Int16Array(640).fill(1234)), 5);
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 600);`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
      stdio: 'inherit',
      cwd: inProject(''),
    });
    const [, signal] = await new Promise<[number | null, string | null]>((resolve) =>
      child.once('close', (code, killedBy) => resolve([code, killedBy])),
    );
    expect(signal).toBe('SIGKILL');
    const { samples } = await read(path);
    expect(samples.length).toBeGreaterThan(640 * 5);
    expect(samples.every((sample) => sample === 1234)).toBe(true);
  });

  it('says which path cannot be written', async () => {
    await expect(WavRecording.open(join(folder, 'none', 'x.wav'))).rejects.toMatchObject({
      code: 'SAVE_FAILED',
      message: expect.stringContaining('none/x.wav') as string,
    });
    await expect(WavRecording.open(folder)).rejects.toMatchObject({ code: 'SAVE_FAILED' });
  });

  it.runIf(existsSync('/dev/full'))('reports a full disk once, and lets the caller go on', async () => {
    const errors: BridgeError[] = [];
    const recording = await WavRecording.open('/dev/full', { onError: (error) => errors.push(error) });
    recording.write(new Int16Array(1000));
    for (let tries = 0; tries < 100 && errors.length === 0; tries++) await setTimeout(10);
    recording.write(new Int16Array(500));
    await recording.close();
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ code: 'SAVE_FAILED' });
    expect(errors[0]!.message).toMatch(/'\/dev\/full' ended early: ENOSPC/);
    expect(recording.droppedSamples).toBe(500);
  });

  it('leaves out what a disk cannot take in time, counts it, and says so once', async () => {
    const path = newPath();
    const errors: BridgeError[] = [];
    const recording = await WavRecording.open(path, {
      maxBufferedBytes: 4000,
      onError: (error) => errors.push(error),
    });
    // All at once: no write can have ended in between.
    for (let i = 0; i < 10; i++) recording.write(new Int16Array(500).fill(i));
    await recording.close();
    expect(recording.droppedSamples).toBe(3000);
    expect(errors).toHaveLength(1);
    const { samples } = await read(path);
    expect(samples.length).toBe(2000);
    expect(samples.at(-1)).toBe(3);
  });
});

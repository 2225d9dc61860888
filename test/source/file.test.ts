import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileSound } from '../../src/source/file.js';
import { inProject } from '../support/paths.js';
import { notingContext } from '../support/sound-context.js';
import { collect, joinBlocks } from '../support/sound.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-file-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const put = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const speak = (path: string): Promise<unknown> => collect(fileSound(path).open(notingContext()));

/** How many descriptors this process has open below the test's folder; only Linux tells. */
function openFiles(): number {
  if (process.platform !== 'linux') return 0;
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      // The descriptor of the listing itself is gone by now.
      return false;
    }
  }).length;
}

describe('fileSound', () => {
  it('reads the sample that the project ships', async () => {
    const context = notingContext();
    const sound = fileSound(inProject('samples/hello.wav'));
    expect(sound.label).toBe('hello.wav');
    expect(sound.live).toBe(false);
    const heard = joinBlocks(await collect(sound.open(context)));
    expect(heard.sampleRateHz).toBe(22050);
    const bytes = readFileSync(inProject('samples/hello.wav')).subarray(44);
    expect(Buffer.from(heard.samples.buffer).equals(bytes)).toBe(true);
    expect(context.infos[0]).toMatchObject({ format: 'WAV, 16-bit PCM', channels: 1 });
    expect(context.warnings).toEqual([]);
  });

  it('touches nothing before it is opened', () => {
    expect(() => fileSound(join(folder, 'is-not-there.wav'))).not.toThrow();
  });

  it.each([
    ['a missing file', () => join(folder, 'nowhere.wav'), 'FILE_NOT_FOUND', 'nowhere.wav'],
    ['a path through a file', () => join(put('file', 'x'), 'a.wav'), 'FILE_NOT_FOUND', 'a.wav'],
    ['a folder', () => folder, 'FILE_UNREADABLE', 'is a folder'],
    ['an empty file', () => put('empty.wav', ''), 'SOUND_EMPTY', 'empty.wav'],
    [
      'text with the name of a sound',
      () => put('text.wav', 'Dear diary,\nto-day'),
      'SOUND_UNKNOWN',
      "'Dear diary, to-day'",
    ],
    ['no path', () => '', 'FILE_NOT_FOUND', "''"],
    ['a path with a zero byte', () => 'a\0b', 'FILE_UNREADABLE', 'could not be read'],
  ])('says what is wrong with %s', async (_what, path, code, message) => {
    await expect(speak(path())).rejects.toMatchObject({
      name: 'BridgeError',
      code,
      message: expect.stringContaining(message) as string,
    });
  });

  it('says when permission is missing', async () => {
    const path = put('secret.wav', 'x');
    chmodSync(path, 0);
    // The superuser may read everything, so this test becomes somebody else for a moment.
    const root = process.geteuid?.() === 0;
    if (root) {
      chmodSync(folder, 0o755);
      process.seteuid!(65534);
    }
    try {
      await expect(speak(path)).rejects.toMatchObject({
        code: 'FILE_UNREADABLE',
        message: expect.stringContaining('permission') as string,
      });
    } finally {
      if (root) process.seteuid!(0);
    }
  });

  it('reads no further than is asked for, and closes the file when the rest is not wanted', async () => {
    const header = readFileSync(inProject('samples/hello.wav')).subarray(0, 44);
    const path = put('long.wav', Buffer.concat([header, Buffer.alloc(4_000_000)]));
    const before = openFiles();
    let frames = 0;
    for await (const block of fileSound(path).open(notingContext())) {
      frames += block.samples.length;
      if (process.platform === 'linux') expect(openFiles()).toBe(before + 1);
      break;
    }
    expect(frames).toBeLessThanOrEqual(32_768);
    expect(openFiles()).toBe(before);
  });

  it('ends with the reason of the signal', async () => {
    const abort = new AbortController();
    const path = put('short.wav', readFileSync(inProject('samples/hello.wav')));
    const reason = new Error('enough');
    const blocks = fileSound(path).open(notingContext(abort.signal));
    const read = async (): Promise<void> => {
      for await (const block of blocks) abort.abort(block.channels === 1 ? reason : undefined);
    };
    await expect(read()).rejects.toBe(reason);
    await expect.poll(openFiles).toBe(0);
  });

  it('leaves a named pipe that nobody writes to as soon as the signal says so', async () => {
    const path = join(folder, 'deserted');
    execFileSync('mkfifo', [path]);
    const abort = new AbortController();
    const reason = new Error('enough');
    const reading = collect(fileSound(path).open(notingContext(abort.signal)));
    setTimeout(() => abort.abort(reason), 50);
    await expect(reading).rejects.toBe(reason);
    // The opening that is still under way must end, or the process could not; it closes what it has opened.
    closeSync(openSync(path, 'r+'));
    await expect.poll(openFiles).toBe(0);
  });

  it('leaves a named pipe whose writer is silent as soon as the signal says so', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const abort = new AbortController();
    const reason = new Error('enough');
    const reading = collect(fileSound(path).open(notingContext(abort.signal)));
    // Opening for both ways does not wait for the other side; it keeps the pipe from ending.
    const writer = openSync(path, 'r+');
    writeSync(writer, readFileSync(inProject('samples/hello.wav')).subarray(0, 1000));
    setTimeout(() => abort.abort(reason), 100);
    await expect(reading).rejects.toBe(reason);
    // The read that is still under way must end, or the process could not.
    writeSync(writer, new Uint8Array(10));
    closeSync(writer);
    expect(readdirSync(folder)).toContain('pipe');
  });
});

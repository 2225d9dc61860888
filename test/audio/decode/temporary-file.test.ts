import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sweepTemporaryFiles, toTemporaryFile } from '../../../src/audio/decode/temporary-file.js';
import { temporaryFolder } from '../../support/codecs.js';
import { pieces } from '../../support/sound.js';

const temporary = process.env.TMPDIR;
process.env.TMPDIR = await temporaryFolder();
afterAll(() => {
  if (temporary === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = temporary;
});

const content = Buffer.from(Array.from({ length: 10_000 }, (_, i) => i % 251));

describe('a temporary file', () => {
  it('holds the whole sound where nobody else can look, until it is removed', async () => {
    const file = await toTemporaryFile(pieces(content, 999), 'x');
    expect(content.equals(await readFile(file.path))).toBe(true);
    expect((await stat(file.path)).mode & 0o077).toBe(0);
    expect((await stat(dirname(file.path))).mode & 0o077).toBe(0);
    await file.remove();
    await file.remove();
    expect(existsSync(file.path)).toBe(false);
  });

  it('is refused and gone when the sound is too large, alone or beside others', async () => {
    const limits = { maxBytes: 2 * 2 ** 20, maxInAllBytes: 3 * 2 ** 20 };
    const large = (mib: number): AsyncIterable<Uint8Array> => pieces(Buffer.alloc(mib * 2 ** 20), 65_536);
    await expect(toTemporaryFile(large(3), 'x', limits)).rejects.toMatchObject({
      code: 'SOUND_TOO_LARGE',
      message: expect.stringContaining('larger than 2 MiB') as string,
    });
    const first = await toTemporaryFile(large(2), 'x', limits);
    await expect(toTemporaryFile(large(2), 'x', limits)).rejects.toMatchObject({
      code: 'SOUND_TOO_LARGE',
      message: expect.stringContaining('taken by others') as string,
    });
    expect(await readdir(dirname(first.path))).toHaveLength(1);
    await first.remove();
    const second = await toTemporaryFile(large(2), 'x', limits);
    await second.remove();
  });

  it('is gone when the source fails', async () => {
    const failing = (async function* () {
      yield content;
      throw new Error('gone');
    })();
    await expect(toTemporaryFile(failing, 'x')).rejects.toThrow('gone');
    const [folder] = await readdir(tmpdir());
    expect(await readdir(join(tmpdir(), folder!))).toEqual([]);
  });

  it('of a process that was killed is deleted by the next one, and no other file', async () => {
    const gone = spawnSync(process.execPath, ['-e', 'console.log(process.pid)']).stdout.toString().trim();
    const left = join(tmpdir(), `mmdagent-bridge-sound-${gone}-abc`);
    const running = join(tmpdir(), `mmdagent-bridge-sound-${process.ppid}-abc`);
    const other = join(tmpdir(), `mmdagent-bridge-${gone}-abc`);
    for (const folder of [left, running, other]) {
      await mkdir(folder);
      await writeFile(join(folder, '1'), 'x');
    }
    await sweepTemporaryFiles();
    expect([left, running, other].map((folder) => existsSync(folder))).toEqual([false, true, true]);
  });
});

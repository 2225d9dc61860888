import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeWithFfmpeg } from '../../../src/audio/decode/ffmpeg.js';
import { indexFirst } from '../../../src/audio/decode/index-first.js';
import { CAF, indexedContainer, MP4 } from '../../../src/audio/decode/indexed-container.js';
import { Lookahead } from '../../../src/audio/decode/lookahead.js';
import { readFile } from '../../../src/source/file.js';
import { decodeAll, reference, snrDb } from '../../support/codecs.js';
import { decoderWorkshop } from '../../support/decoder.js';
import { describeWith } from '../../support/needs.js';
import { pieces } from '../../support/sound.js';

const { folder, make } = await decoderWorkshop(44_100);
const MIB = 2 ** 20;

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

function inOrder(
  bytes: Uint8Array,
  container = MP4,
  limits = { maxBytes: MIB, maxInAllBytes: MIB },
  size = 1000,
): AsyncGenerator<Uint8Array> {
  return indexFirst(new Lookahead(pieces(bytes, size)), container, 'memo.m4a', limits);
}

async function fromDisk(bytes: Uint8Array): Promise<Buffer> {
  const path = join(folder, 'file.m4a');
  await writeFile(path, bytes);
  return collect(readFile(path, new AbortController().signal));
}

function atom(type: string, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, body]);
}

/** A table of places: `stco` of four bytes each, `co64` of eight. */
function places(type: 'stco' | 'co64', ...values: number[]): Buffer {
  const table = Buffer.alloc(8 + values.length * 8);
  table.writeUInt32BE(values.length, 4);
  values.forEach((value, i) =>
    type === 'co64'
      ? table.writeBigUInt64BE(BigInt(value), 8 + i * 8)
      : table.writeUInt32BE(value, 8 + i * 4),
  );
  return atom(type, type === 'co64' ? table : table.subarray(0, 8 + values.length * 4));
}

function nested(table: Buffer): Buffer {
  return atom(
    'moov',
    atom('mvhd', Buffer.alloc(20)),
    atom('trak', atom('mdia', atom('minf', atom('stbl', table)))),
  );
}

const FTYP = atom('ftyp', Buffer.from('M4A \0\0\0\0'));
const SOUND = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
const MDAT = atom('mdat', SOUND);

describe('an MP4 whose index stands behind its sound', () => {
  it.each(['stco', 'co64'] as const)(
    'comes out index first, each place in its %s moved with the sound',
    async (type) => {
      const soundAt = FTYP.length + 8;
      const moov = nested(places(type, soundAt, soundAt + 100, soundAt + 4000));
      const behind = atom('free', Buffer.alloc(30));
      const shift = moov.length;
      const wanted = Buffer.concat([
        FTYP,
        nested(places(type, soundAt + shift, soundAt + shift + 100, soundAt + shift + 4000)),
        MDAT,
        behind,
      ]);
      const bytes = Buffer.concat([FTYP, MDAT, moov, behind]);
      for (const size of [1, 7, 1000, 100_000])
        expect(await collect(inOrder(bytes, MP4, undefined, size))).toEqual(wanted);
      expect(await fromDisk(bytes)).toEqual(wanted);
    },
  );

  it('leaves places that point behind the index alone', async () => {
    const second = FTYP.length + MDAT.length + nested(places('stco', 0)).length + 8;
    const moov = nested(places('stco', second));
    const bytes = Buffer.concat([FTYP, MDAT, moov, MDAT]);
    expect(await collect(inOrder(bytes))).toEqual(Buffer.concat([FTYP, moov, MDAT, MDAT]));
  });

  it('passes as it comes when the index stands in front, and is not held', async () => {
    const bytes = Buffer.concat([FTYP, nested(places('stco', 9999)), atom('mdat', Buffer.alloc(3 * MIB))]);
    expect((await collect(inOrder(bytes))).equals(bytes)).toBe(true);
    expect((await fromDisk(bytes)).equals(bytes)).toBe(true);
  });

  it('is refused when it is too large to be held, with the command that mends it; a file is not', async () => {
    const bytes = Buffer.concat([
      FTYP,
      atom('mdat', Buffer.alloc(2 * MIB)),
      nested(places('stco', FTYP.length + 8)),
    ]);
    await expect(collect(inOrder(bytes))).rejects.toMatchObject({
      code: 'SOUND_TOO_LARGE',
      message: expect.stringMatching(/^memo\.m4a has its index at the end.* larger than 1 MiB\.$/) as string,
      advice: expect.stringContaining('ffmpeg -i in.m4a -c copy -movflags +faststart out.m4a') as string,
    });
    expect((await fromDisk(bytes)).subarray(FTYP.length + 4, FTYP.length + 8).toString()).toBe('moov');
  });

  it('shares the memory with others of its kind, and gives it back', async () => {
    const limits = { maxBytes: MIB, maxInAllBytes: 8000 };
    const bytes = Buffer.concat([FTYP, MDAT, nested(places('stco', FTYP.length + 8))]);
    const first = inOrder(bytes, MP4, limits);
    await first.next();
    await expect(collect(inOrder(bytes, MP4, limits))).rejects.toMatchObject({ code: 'SOUND_TOO_LARGE' });
    await first.return(undefined);
    expect((await collect(inOrder(bytes, MP4, limits))).length).toBe(bytes.length);
  });

  it('is an error when it is cut off before or in its index, or the index is damaged', async () => {
    const moov = nested(places('stco', FTYP.length + 8));
    const bytes = Buffer.concat([FTYP, MDAT, moov]);
    for (const length of [FTYP.length + 100, FTYP.length + MDAT.length, bytes.length - 1])
      await expect(collect(inOrder(bytes.subarray(0, length)))).rejects.toMatchObject({
        code: 'SOUND_BROKEN',
        message: expect.stringMatching(/is cut off: it ends before its index/) as string,
      });
    for (const at of [8, 36, 44, 52, 60, 68, 80]) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt32BE(0x7fff_fff0, FTYP.length + MDAT.length + at);
      const outcome = await collect(inOrder(damaged)).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'SOUND_BROKEN' });
      else expect((outcome as Buffer).length).toBe(bytes.length);
    }
  });

  it('is told from others by its first bytes', () => {
    expect(indexedContainer(FTYP)).toBe(MP4);
    expect(indexedContainer(Buffer.from('RIFF\0\0\0\0WAVE'))).toBeUndefined();
    expect(indexedContainer(new Uint8Array(0))).toBeUndefined();
  });
});

await describeWith(['ffmpeg'], 'files with the index at the end', () => {
  it.each([
    ['memo.m4a', MP4, ['-c:a', 'aac']],
    ['video.mp4', MP4, ['-f', 'mp4', '-c:a', 'aac', '-write_tmcd', '0']],
    ['apple.mov', MP4, ['-f', 'mov', '-c:a', 'aac']],
    ['packets.caf', CAF, ['-c:a', 'alac']],
  ] as const)('%s by its path and as a stream give the whole sound', async (name, container, options) => {
    const path = join(folder, name);
    const bytes = await make(name, ...options);
    expect(indexedContainer(bytes)).toBe(container);
    const wanted = await reference(path, 16_000, 1);
    const streamed = await decodeAll(decodeWithFfmpeg, bytes);
    const read = await decodeAll(
      decodeWithFfmpeg,
      await collect(readFile(path, new AbortController().signal)),
    );
    for (const { samples, warnings } of [streamed, read]) {
      expect(warnings).toEqual([]);
      expect(samples.length).toBe(wanted.length);
      expect(snrDb(samples, wanted)).toBeGreaterThan(90);
    }
  });
});

import fc from 'fast-check';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EBML, readElement, writeElement } from '../../../src/audio/decode/ebml.js';
import { type WebmBlock, WebmBlocks } from '../../../src/audio/decode/webm-blocks.js';
import { splitLaces } from '../../../src/audio/decode/webm-laces.js';
import { decodeWebmOpus } from '../../../src/audio/decode/webm-opus.js';
import { decodeAll, reference, run, snrDb } from '../../support/codecs.js';
import {
  anySound,
  decoderWorkshop,
  expectAnyChunking,
  expectFreedEarly,
  expectLikeFfmpeg,
} from '../../support/decoder.js';
import { fakePath } from '../../support/fake-programs.js';
import { expectHonesty } from '../../support/mutants.js';
import { describeWith } from '../../support/needs.js';
import { bytesOf } from '../../support/sound.js';

const { folder, wav, make } = await decoderWorkshop(48_000);
const opus = ['-c:a', 'libopus'];

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function uint(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The packets of a file's first track, each with when it is due. */
function packetsOf(bytes: Buffer): { packet: Uint8Array; timestamp: number }[] {
  const { blocks } = new WebmBlocks(1).push(bytes);
  return blocks.map(({ element, timestamp }) => {
    const { headBytes } = readElement(element, 0) as Exclude<
      ReturnType<typeof readElement>,
      'more' | undefined
    >;
    return { packet: element.subarray(headBytes + 4), timestamp };
  });
}

/** A file of the given clusters, with the codec's head of another one. */
function fileOf(like: Buffer, clusters: readonly Buffer[]): Buffer {
  const at = like.indexOf('OpusHead');
  const rate = Buffer.from('40e7700000000000', 'hex');
  const entry = [
    writeElement(EBML.trackNumber, Buffer.of(1)),
    writeElement(0x73c5, Buffer.of(1)),
    writeElement(EBML.trackType, Buffer.of(2)),
    writeElement(EBML.codecId, Buffer.from('A_OPUS')),
    writeElement(EBML.codecDelay, uint(6_500_000)),
    writeElement(EBML.codecPrivate, like.subarray(at, at + 19)),
    writeElement(EBML.audio, writeElement(EBML.channels, Buffer.of(2)), writeElement(0xb5, rate)),
  ];
  const head = writeElement(EBML.head, writeElement(0x4282, Buffer.from('webm')));
  const tracks = writeElement(EBML.tracks, writeElement(EBML.trackEntry, ...entry));
  return Buffer.concat([head, Buffer.from('18538067ff', 'hex'), tracks, ...clusters]);
}

/** Packets in blocks of so many, laced as told. */
function laced(
  packets: readonly { packet: Uint8Array; timestamp: number }[],
  count: number,
  lacing: 0 | 1 | 2 | 3,
): Buffer[] {
  const clusters: Buffer[] = [];
  for (let at = 0; at < packets.length; at += count) {
    const group = packets.slice(at, at + count);
    const sizes = group.map(({ packet }) => packet.length);
    const xiph = sizes
      .slice(0, -1)
      .flatMap((size) => [...new Array<number>(Math.floor(size / 255)).fill(255), size % 255]);
    const ebml = sizes.slice(0, -1).flatMap((size, i) => {
      const value = i === 0 ? size : size - sizes[i - 1]! + 0x1fff;
      return [0x40 | (value >> 8), value & 0xff];
    });
    const table = lacing === 0 ? [] : [group.length - 1, ...(lacing === 1 ? xiph : lacing === 3 ? ebml : [])];
    const data = [
      Buffer.of(0x81),
      int16(0),
      Buffer.of(lacing << 1),
      Buffer.from(table),
      ...group.map(({ packet }) => packet),
    ];
    const block = writeElement(EBML.blockGroup, writeElement(EBML.block, ...data));
    clusters.push(writeElement(EBML.cluster, writeElement(EBML.timestamp, uint(group[0]!.timestamp)), block));
  }
  return clusters;
}

await describeWith(['ffmpeg'], 'decodeWebmOpus', () => {
  it.each([
    ['music.webm', 2, ['-b:a', '96k']],
    ['voice.webm', 1, ['-b:a', '24k', '-ac', '1']],
    ['long-frames.webm', 2, ['-frame_duration', '60']],
    ['sound.mka', 2, []],
    ['live.webm', 2, ['-live', '1', '-cluster_time_limit', '100']],
  ])('gives %s whole, without lead-in and surplus, and like ffmpeg', async (name, channels, options) => {
    const bytes = await make(name, ...opus, ...options);
    const { infos } = await expectLikeFfmpeg(bytes, join(folder, name), channels);
    expect(infos).toMatchObject([{ format: 'WebM Opus', sampleRateHz: 48_000, channels }]);
  });

  it('gives the same for any chunking', async () => {
    await expectAnyChunking(decodeWebmOpus, await make('chunks.webm', ...opus, '-t', '1'));
  });

  it.each([
    ['blocks in groups', 1, 0],
    ['Xiph lacing', 8, 1],
    ['fixed lacing', 8, 2],
    ['EBML lacing', 8, 3],
  ] as const)('plays %s', async (name, count, lacing) => {
    const bytes = await make('packets.webm', ...opus, '-b:a', '200k', '-vbr', lacing === 2 ? 'off' : 'on');
    const file = join(folder, `${name}.webm`);
    await writeFile(file, fileOf(bytes, laced(packetsOf(bytes), count, lacing)));
    const heard = await decodeAll(anySound, await readFile(file));
    const wanted = await reference(file, 16_000, 2);
    expect(heard.warnings).toEqual([]);
    // Nothing in this file takes the surplus off the last packet.
    expect(heard.samples.length).toBe(wanted.length);
    expect(snrDb(heard.samples, wanted)).toBeGreaterThan(50);
  });

  it('takes the sound out of a video', async () => {
    const file = join(folder, 'video.webm');
    const video = ['-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=10:duration=2', '-c:v', 'libvpx'];
    await run('ffmpeg', ['-v', 'error', '-y', '-i', 'pipe:0', ...video, ...opus, file], wav);
    const heard = await decodeAll(anySound, await readFile(file));
    expect(heard.warnings).toEqual([]);
    expect(heard.samples.length).toBe(2 * 32_000);
  });

  it('plays files one behind the other, and hands what is not for it to ffmpeg', async () => {
    const one = await make('one.webm', ...opus, '-t', '1');
    const mono = await make('mono.webm', ...opus, '-ac', '1');
    const vorbis = await make('vorbis.webm', '-c:a', 'libvorbis');
    const [first, second] = [await decodeAll(anySound, one), await decodeAll(anySound, mono)];
    const heard = await decodeAll(anySound, Buffer.concat([one, mono, one]), 1000);
    expect(heard.warnings).toEqual([]);
    expect(heard.infos.length).toBe(1);
    const parts = [first, second, first].map(({ samples }) => bytesOf(samples));
    expect(bytesOf(heard.samples).equals(Buffer.concat(parts))).toBe(true);

    const other = await decodeAll(anySound, vorbis);
    expect(other.infos).toMatchObject([{ format: 'Matroska (vorbis)', channels: 2 }]);
    expect(other.samples.length).toBe((await reference(join(folder, 'vorbis.webm'), 16_000, 2)).length);
    const both = await decodeAll(anySound, Buffer.concat([mono, vorbis]), 999);
    expect(both.samples.length).toBe(second.samples.length + other.samples.length);

    onTestFinished(fakePath({}));
    await expect(decodeAll(anySound, vorbis)).rejects.toMatchObject({ code: 'FFMPEG_MISSING' });
    expect((await decodeAll(anySound, mono)).samples.length).toBe(32_000);
  });

  it('says what is missing: packets, the end, everything', async () => {
    const bytes = await make('holes.webm', ...opus);
    const packets = packetsOf(bytes);
    const holes = fileOf(bytes, laced([...packets.slice(0, 20), ...packets.slice(50)], 1, 0));
    const heard = await decodeAll(decodeWebmOpus, holes);
    expect(heard.warnings).toEqual([expect.stringMatching(/^the sound has gaps: 60\d ms of it are missing/)]);
    const cut = await decodeAll(decodeWebmOpus, bytes.subarray(0, bytes.length / 2));
    expect(cut.warnings.join()).toMatch(/the sound is cut off: \d+ ms of the length/);
    await expect(decodeAll(decodeWebmOpus, fileOf(bytes, []))).rejects.toMatchObject({ code: 'SOUND_EMPTY' });
    const headOnly = fileOf(bytes, laced(packets, 1, 0)).subarray(0, 200);
    await expect(decodeAll(decodeWebmOpus, headOnly)).rejects.toMatchObject({ code: 'SOUND_BROKEN' });
  });

  it('is honest about damaged files', async () => {
    for (const [name, options] of [
      ['m1.webm', ['-cluster_time_limit', '200']],
      ['m2.webm', ['-ac', '1', '-b:a', '24k']],
    ] as const) {
      const bytes = await make(name, ...opus, '-t', '1', ...options);
      await expectHonesty(decodeWebmOpus, bytes, 60);
    }
  });

  it('frees the source when nobody wants the rest', async () => {
    const bytes = await make('early.webm', ...opus);
    await expectFreedEarly(decodeWebmOpus, bytes);
  });
});

describe('WebmBlocks', () => {
  const simple = (text: string): Buffer =>
    writeElement(EBML.simpleBlock, Buffer.of(0x81, 0, 5, 0x80), Buffer.from(text));
  const cluster = (...content: readonly Uint8Array[]): Buffer =>
    Buffer.concat([Buffer.from('1f43b675ff', 'hex'), writeElement(EBML.timestamp, uint(100)), ...content]);
  const texts = (blocks: readonly WebmBlock[]): string[] =>
    blocks.map(({ element }) =>
      Buffer.from(element)
        .toString('latin1')
        .replace(/^[^]*\x80/, ''),
    );

  it('goes on at the next cluster where the elements make no sense', () => {
    const blocks = new WebmBlocks(1);
    const noise = Buffer.concat([Buffer.from([0, 0, 0x1f, 0x43]), Buffer.alloc(100)]);
    const { blocks: found } = blocks.push(
      Buffer.concat([cluster(simple('one')), noise, cluster(simple('two'))]),
    );
    expect(texts(found)).toEqual(['one', 'two']);
    expect(found[0]!.timestamp).toBe(105);
    expect(blocks.strayBytes).toBe(104);
  });

  it('lets huge pictures and unknown elements pass, and tells an unfinished end', () => {
    const blocks = new WebmBlocks(1);
    const picture = writeElement(EBML.simpleBlock, Buffer.of(0x82, 0, 0, 0x80), Buffer.alloc(3_000_000));
    const group = writeElement(
      EBML.blockGroup,
      writeElement(EBML.block, Buffer.of(0x82, 0, 0, 0), Buffer.alloc(200_000)),
    );
    const unknown = writeElement(0x4fff, Buffer.alloc(50));
    const { blocks: found } = blocks.push(
      cluster(picture, group, unknown, simple('sound'), simple('cut').subarray(0, 10)),
    );
    expect(texts(found)).toEqual(['sound']);
    expect(blocks).toMatchObject({ strayBytes: 0, lostBlocks: 0, isUnfinished: true });
  });
});

describe('splitLaces', () => {
  it('refuses sizes that do not come out', () => {
    expect(splitLaces(Uint8Array.of(1, 1, 2, 3), 2)).toBeUndefined();
    expect(splitLaces(Uint8Array.of(1, 255, 255), 1)).toBeUndefined();
    expect(splitLaces(Uint8Array.of(1, 200, 1), 1)).toBeUndefined();
    expect(splitLaces(Uint8Array.of(2, 0x82, 0x80, 1, 2), 3)).toBeUndefined();
    expect(splitLaces(new Uint8Array(0), 1)).toBeUndefined();
    expect(splitLaces(Uint8Array.of(1, 1, 7, 8, 9), 1)).toEqual([Uint8Array.of(7), Uint8Array.of(8, 9)]);
  });

  it('takes any bytes without falling over', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(1, 2, 3), (bytes, lacing) => {
        const laces = splitLaces(bytes, lacing);
        const total = laces?.reduce((sum, lace) => sum + lace.length, 0) ?? 0;
        expect(total).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});

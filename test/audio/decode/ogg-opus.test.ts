import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { decodeOggOpus } from '../../../src/audio/decode/ogg-opus.js';
import { loadOpus, OpusPackets } from '../../../src/audio/decode/opus.js';
import { decodeAll, encode, reference, run, snrDb } from '../../support/codecs.js';
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
import { flacPicture, oggChecksum, pagesOf } from '../../support/ogg.js';
import { bytesOf } from '../../support/sound.js';

const { folder, wav, make } = await decoderWorkshop(48_000);
const opus = ['-c:a', 'libopus'];

await describeWith(['ffmpeg'], 'decodeOggOpus', () => {
  it.each([
    ['music.opus', 2, ['-b:a', '96k']],
    ['voice.opus', 1, ['-b:a', '24k', '-ac', '1', '-application', 'voip']],
    ['narrow.opus', 1, ['-b:a', '12k', '-ac', '1', '-ar', '16000', '-application', 'voip']],
    ['long-frames.opus', 2, ['-b:a', '64k', '-frame_duration', '60']],
    ['longest-frames.opus', 2, ['-b:a', '510k', '-vbr', 'off', '-frame_duration', '120']],
    ['short-frames.opus', 2, ['-b:a', '96k', '-frame_duration', '2.5']],
    // Packets that go on over the end of their page: 50 of 1,275 bytes are more than a page holds in one second.
    ['high.opus', 2, ['-b:a', '510k', '-vbr', 'off']],
  ])('gives %s whole, without lead-in and surplus, and like ffmpeg', async (name, channels, options) => {
    const bytes = await make(name, ...opus, ...options);
    const { infos } = await expectLikeFfmpeg(bytes, join(folder, name), channels);
    expect(infos).toEqual([{ format: 'Ogg Opus', sampleRateHz: 48_000, channels }]);
  });

  it('gives the same for any chunking', async () => {
    await expectAnyChunking(decodeOggOpus, await make('chunks.opus', ...opus, '-t', '1'));
  });

  it('plays a file with cover art in its comments, many pages of it', async () => {
    const plain = await make('plain.opus', ...opus);
    const picture = ['-metadata:s:a', `METADATA_BLOCK_PICTURE=${flacPicture(80_000)}`];
    const covered = await make('cover.opus', ...opus, ...picture);
    expect(covered.length).toBeGreaterThan(plain.length + 100_000);
    const heard = await decodeAll(anySound, covered, 1000);
    expect(heard.warnings).toEqual([]);
    expect(bytesOf(heard.samples).equals(bytesOf((await decodeAll(decodeOggOpus, plain)).samples))).toBe(
      true,
    );
  });

  it('plays chained files through, each one whole', async () => {
    const one = await make('one.opus', ...opus, '-t', '1.2345', '-serial_offset', '1');
    const two = await make('two.opus', ...opus, '-ac', '1', '-serial_offset', '2');
    const [first, second] = [await decodeAll(decodeOggOpus, one), await decodeAll(decodeOggOpus, two)];
    const heard = await decodeAll(anySound, Buffer.concat([one, two, one]), 3000);
    expect(heard.warnings).toEqual([]);
    expect(heard.infos.length).toBe(1);
    const parts = [first, second, first].map(({ samples }) => Buffer.from(samples.buffer));
    expect(Buffer.from(heard.samples.buffer).equals(Buffer.concat(parts))).toBe(true);
  });

  it('hands what is not for it to ffmpeg: surround sound, and another codec in a chain', async () => {
    const surround = join(folder, 'surround.opus');
    const bytes = await encode(wav, surround, ...opus, '-ac', '6', '-mapping_family', '1');
    const heard = await decodeAll(anySound, bytes);
    expect(heard.infos).toMatchObject([{ format: 'Ogg (opus)', channels: 6 }]);
    expect(heard.samples.length).toBe((await reference(surround, 16_000, 6)).length);

    const mono = await make('mono.opus', ...opus, '-ac', '1');
    const vorbis = await make('next.ogg', '-c:a', 'libvorbis');
    const both = await decodeAll(anySound, Buffer.concat([mono, vorbis]));
    const ends =
      (await decodeAll(anySound, mono)).samples.length + (await decodeAll(anySound, vorbis)).samples.length;
    expect(both.samples.length).toBe(ends);
    expect(both.infos.length).toBe(1);

    onTestFinished(fakePath({}));
    await expect(decodeAll(anySound, bytes)).rejects.toMatchObject({ code: 'FFMPEG_MISSING' });
    // Everything else needs no ffmpeg.
    expect((await decodeAll(anySound, mono)).samples.length).toBe(32_000);
  });

  it('plays the first stream of several', async () => {
    const file = join(folder, 'multi.ogg');
    const second = ['-f', 'lavfi', '-i', 'sine=duration=2', '-map', '0:a', '-map', '1:a'];
    await run(
      'ffmpeg',
      ['-v', 'error', '-y', '-i', 'pipe:0', ...second, '-c:a:0', 'libopus', '-c:a:1', 'libvorbis', file],
      wav,
    );
    const bytes = await readFile(file);
    const heard = await decodeAll(anySound, bytes);
    expect(heard.samples.length).toBe(2 * 32_000);
    expect(heard.infos).toMatchObject([{ format: 'Ogg Opus' }]);
  });

  it('starts a recording that begins in the middle of its count, and applies the gain of the head', async () => {
    const bytes = await make('gain.opus', ...opus);
    const plain = await decodeAll(decodeOggOpus, bytes);
    for (const page of pagesOf(bytes)) {
      if (page.readBigUInt64LE(6) > 0n) page.writeBigUInt64LE(page.readBigUInt64LE(6) + 4_800_000n, 6);
      if (page.includes('OpusHead')) page.writeInt16LE(-6 * 256, page.indexOf('OpusHead') + 16);
      oggChecksum(page);
    }
    const heard = await decodeAll(decodeOggOpus, bytes);
    expect(heard.warnings).toEqual([]);
    expect(heard.samples.length).toBe(plain.samples.length);
    const half = plain.samples.map((value) => value * 10 ** (-6 / 20));
    expect(snrDb(heard.samples, half)).toBeGreaterThan(50);
  });

  it('says what is missing: pages, the end, everything', async () => {
    const bytes = await make('holes.opus', ...opus, '-page_duration', '200000');
    const pages = pagesOf(bytes);
    const without = Buffer.concat(pages.filter((_, i) => i !== 5 && i !== 6));
    expect((await decodeAll(decodeOggOpus, without)).warnings).toEqual([
      'the sound is damaged: 400 ms of it are missing.',
    ]);
    const cut = await decodeAll(decodeOggOpus, bytes.subarray(0, bytes.length / 2));
    expect(cut.warnings.join()).toMatch(/the sound is cut off: it has no last page/);
    await expect(decodeAll(decodeOggOpus, pages[0]!)).rejects.toMatchObject({ code: 'SOUND_BROKEN' });
  });

  it('plays a page with a wrong bit, and says so', async () => {
    const bytes = await make('bit.opus', ...opus);
    bytes[bytes.length / 2]! ^= 1;
    const heard = await decodeAll(decodeOggOpus, bytes);
    expect(heard.samples.length).toBe(2 * 32_000);
    expect(heard.warnings.join()).toMatch(/wrong checksum|packets could not be used/);
  });

  it('is honest about damaged files', async () => {
    for (const [name, options] of [
      ['m1.opus', ['-page_duration', '100000']],
      ['m2.opus', ['-b:a', '510k', '-vbr', 'off']],
    ] as const) {
      const bytes = await make(name, ...opus, '-t', '1', ...options);
      await expectHonesty(decodeOggOpus, bytes, 60);
    }
  });

  it('frees the source when nobody wants the rest', async () => {
    const bytes = await make('early.opus', ...opus);
    await expectFreedEarly(decodeOggOpus, bytes);
  });

  it('decodes a hundred streams side by side, each one right', async () => {
    const bytes = await make('many.opus', ...opus, '-t', '0.2');
    const alone = await decodeAll(decodeOggOpus, bytes);
    const all = await Promise.all(Array.from({ length: 100 }, () => decodeAll(decodeOggOpus, bytes, 500)));
    for (const heard of all) expect(bytesOf(heard.samples).equals(bytesOf(alone.samples))).toBe(true);
  });
});

describe('OpusPackets', () => {
  it('makes silence of the right length out of what is no packet, and counts it', () => {
    const packets = new OpusPackets({ channels: 1, preSkip: 0, gainQ8: 0, isSimple: true });
    expect(packets.decode(new Uint8Array(0)).length).toBe(0);
    // Three frames of 20 ms by the head, and nothing behind it.
    expect(packets.decode(Uint8Array.of(0x0b, 0x83, 0xff)).length).toBe(960);
    expect(packets.decode(new Uint8Array(5000).fill(0xfc)).length).toBe(320);
    expect(packets.lostPackets).toBe(3);
    packets.free();
  });

  it('prefers the native library where it is installed', () => {
    const made: unknown[] = [];
    class OpusEncoder {
      constructor(...args: unknown[]) {
        made.push(args);
      }
      decode(): Buffer {
        return Buffer.alloc(1280, 1);
      }
      applyDecoderCTL(...args: unknown[]): void {
        made.push(args);
      }
    }
    const library = loadOpus((name) => (name === '@discordjs/opus' ? { OpusEncoder } : undefined));
    const decoder = library.createDecoder(2);
    decoder.setGain(256);
    expect(library.name).toBe('@discordjs/opus');
    expect(decoder.decode(Uint8Array.of(0xfc))).toEqual(new Int16Array(640).fill(257));
    expect(made).toEqual([
      [16_000, 2],
      [4034, 256],
    ]);
    const absent = (): never => {
      throw new Error('no such package');
    };
    expect(() => loadOpus(absent)).toThrow(/opusscript/);
  });
});

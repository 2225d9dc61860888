import { join } from 'node:path';
import { expect, it } from 'vitest';
import { flacCrc16, parseFlacFrame } from '../../../src/audio/decode/flac-frame.js';
import { EffortError, FlacSplitter } from '../../../src/audio/decode/flac-splitter.js';
import { decodeFlac } from '../../../src/audio/decode/flac.js';
import { decodeAll, encode, int16Of, reference, snrDb } from '../../support/codecs.js';
import { anySound, decoderWorkshop, expectAnyChunking, expectFreedEarly } from '../../support/decoder.js';
import { expectHonesty, seeded } from '../../support/mutants.js';
import { describeWith } from '../../support/needs.js';
import { bytesOf } from '../../support/sound.js';
import { wavOf } from '../../support/wav.js';

const { folder, wav, make } = await decoderWorkshop(44_100);

/** Where the frames begin. */
function framesAt(flac: Buffer): number {
  let at = 4;
  for (let isLast = false; !isLast;) {
    isLast = (flac[at]! & 0x80) !== 0;
    at += 4 + flac.readUIntBE(at + 1, 3);
  }
  return at;
}

await describeWith(['ffmpeg'], 'decodeFlac', () => {
  it.each([
    ['cd.flac', 44_100, 2, 16, []],
    ['studio.flac', 96_000, 2, 24, ['-ar', '96000', '-sample_fmt', 's32']],
    ['voice.flac', 16_000, 1, 16, ['-ar', '16000', '-ac', '1']],
    ['odd.flac', 22_255, 1, 16, ['-ar', '22255', '-ac', '1']],
    ['surround.flac', 48_000, 6, 16, ['-ar', '48000', '-ac', '6', '-compression_level', '12']],
    ['small.flac', 8_000, 2, 16, ['-ar', '8000', '-frame_size', '64']],
  ])('gives %s bit for bit as ffmpeg does', async (name, sampleRateHz, channels, bits, options) => {
    const file = join(folder, name);
    const bytes = await make(name, ...options);
    const heard = await decodeAll(anySound, bytes, 3001);
    const wanted = await reference(file, sampleRateHz, channels);
    expect(heard).toMatchObject({ sampleRateHz, channels, warnings: [] });
    expect(heard.infos).toMatchObject([{ format: `FLAC, ${bits}-bit`, sampleRateHz, channels }]);
    expect(heard.infos[0]!.durationMs).toBeCloseTo((wanted.length / channels / sampleRateHz) * 1000, 6);
    expect(heard.samples.length).toBe(wanted.length);
    expect(snrDb(heard.samples, wanted)).toBeGreaterThan(bits === 16 ? 1000 : 140);
  });

  it('gives the same for any chunking', async () => {
    const bytes = await make('chunks.flac', '-t', '1');
    await expectAnyChunking(decodeFlac, bytes, { longest: 6000 });
  });

  it('passes over metadata and tags of any size, and plays files one behind the other', async () => {
    const one = await make('one.flac', '-t', '1');
    const two = await make('two.flac', '-ar', '32000', '-ac', '1', '-t', '0.5');
    const picture = Buffer.alloc(4 + 3_000_000, 0xff);
    picture.writeUInt32BE((6 << 24) | 3_000_000, 0);
    const covered = Buffer.concat([one.subarray(0, 42), picture, one.subarray(42)]);
    const id3 = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\x40\0', 'latin1'), Buffer.alloc(8192, 'fLaC')]);
    const id3v1 = Buffer.concat([Buffer.from('TAG'), Buffer.alloc(125)]);
    const heard = await decodeAll(anySound, Buffer.concat([id3, covered, two, id3v1, one]), 10_000);
    expect(heard.warnings).toEqual([]);
    const [first, second] = [await decodeAll(decodeFlac, one), await decodeAll(decodeFlac, two)];
    const parts = [first, second, first].map(({ samples }) => bytesOf(samples));
    expect(bytesOf(heard.samples).equals(Buffer.concat(parts))).toBe(true);
  });

  it('plays a stream whose writer did not know its length', async () => {
    const bytes = await make('live.flac');
    bytes.fill(0, 22, 42);
    bytes[21]! &= 0xf0;
    const heard = await decodeAll(decodeFlac, bytes);
    expect(heard.warnings).toEqual([]);
    expect(heard.infos[0]).not.toHaveProperty('durationMs');
    expect(heard.samples.length).toBe(2 * 88_200);
  });

  it('leaves a damaged frame out, and it alone', async () => {
    const bytes = await make('bit.flac', '-frame_size', '4410');
    for (const at of [framesAt(bytes) + 3000, Math.round(bytes.length * 0.7)]) bytes[at]! ^= 4;
    const heard = await decodeAll(decodeFlac, bytes);
    expect(heard.samples.length).toBe(2 * (88_200 - 2 * 4410));
    expect(heard.warnings).toEqual([
      'the sound is damaged: 200 ms of the length that it claims are missing.',
    ]);
  });

  it('says what stands in the middle that is no FLAC, when no sound is missing for it', async () => {
    const bytes = await make('stray.flac', '-t', '1');
    const at = framesAt(bytes);
    const stray = Buffer.from('<html>502 Bad Gateway</html>');
    const heard = await decodeAll(
      decodeFlac,
      Buffer.concat([bytes.subarray(0, at), stray, bytes.subarray(at)]),
    );
    expect(heard.samples.length).toBe(2 * 44_100);
    expect(heard.warnings).toEqual(['the sound is damaged: 0 frames and 28 bytes were left out.']);
  });

  it('says when the end is missing, or everything', async () => {
    const bytes = await make('cut.flac');
    const heard = await decodeAll(decodeFlac, bytes.subarray(0, bytes.length / 2));
    expect(heard.warnings).toEqual([
      expect.stringMatching(/^the sound is cut off: \d{3,4} ms of the length/),
    ]);
    await expect(decodeAll(decodeFlac, bytes.subarray(0, framesAt(bytes) + 100))).rejects.toMatchObject({
      code: 'SOUND_BROKEN',
    });
    await expect(decodeAll(decodeFlac, Buffer.from('{"error":1}'.repeat(99)))).rejects.toMatchObject({
      code: 'SOUND_BROKEN',
    });
  });

  it('gives up data that was made to be searched without end', () => {
    const splitter = new FlacSplitter();
    const info = Buffer.alloc(42);
    info.write('fLaC');
    info.writeUInt32BE(0x8000_0022, 4);
    splitter.push(info);
    // Heads in falling order, of frames that may be long, and nowhere does a checksum come out.
    const random = seeded(1);
    const crcs: number[] = [];
    const parts: Buffer[] = [];
    for (let number = 5000; number > 4000; number--) {
      const head = Buffer.of(
        0xff,
        0xf8,
        0x59,
        0x78,
        0xe1,
        0x80 | ((number >> 6) & 63),
        0x80 | (number & 63),
        0,
      );
      head[4] = 0xe0 | (number >> 12);
      for (let crc8 = 0; crc8 < 256; crc8++) {
        head[7] = crc8;
        if (parseFlacFrame(head, 0, { sampleRateHz: 1, channels: 8, bits: 16, totalSamples: 0 })) break;
      }
      let [part, next]: [Buffer, number[]] = [head, [0]];
      do {
        part = Buffer.concat([head, Buffer.from(Array.from({ length: 18 }, () => random(200)))]);
        next = [...crcs, 0].map((crc) => flacCrc16(crc, part, 0, part.length));
      } while (next.includes(0));
      crcs.splice(0, crcs.length, ...next);
      parts.push(part);
    }
    splitter.push(Buffer.concat(parts));
    expect(() => splitter.end()).toThrow(EffortError);
  });

  it('is honest about damaged files', async () => {
    const noise = seeded(7);
    const hiss = Float32Array.from({ length: 16_000 }, () => (noise(2000) - 1000) / 3000);
    for (const [name, source, options] of [
      ['m1.flac', wav, ['-t', '1', '-ar', '16000']],
      ['m2.flac', wavOf(int16Of(hiss)), ['-frame_size', '512']],
    ] as const) {
      const bytes = await encode(source, join(folder, name), ...options);
      await expectHonesty(decodeFlac, bytes, 60);
    }
  });

  it('frees the source when nobody wants the rest', async () => {
    const bytes = await make('early.flac');
    await expectFreedEarly(decodeFlac, bytes, 20_000);
  });
});

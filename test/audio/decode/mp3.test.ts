import { join } from 'node:path';
import { expect, it } from 'vitest';
import { decodeMp3 } from '../../../src/audio/decode/mp3.js';
import { parseMpegHeader } from '../../../src/audio/decode/mpeg-header.js';
import { decodeAll, reference, snrDb } from '../../support/codecs.js';
import { anySound, decoderWorkshop, expectAnyChunking, expectFreedEarly } from '../../support/decoder.js';
import { expectHonesty } from '../../support/mutants.js';
import { describeWith } from '../../support/needs.js';
import { bytesOf } from '../../support/sound.js';

const { folder, make } = await decoderWorkshop(44_100);

/** An ID3v2 tag with a picture of that many bytes. */
function id3v2(bytes: number): Buffer {
  const tag = Buffer.alloc(bytes + 10, 0xfb);
  tag.write('ID3\x04\0\0', 'latin1');
  for (let i = 0; i < 4; i++) tag[6 + i] = (bytes >> (7 * (3 - i))) & 0x7f;
  return tag;
}

const id3v1 = Buffer.concat([Buffer.from('TAG'), Buffer.alloc(125, 'x')]);

function apeTag(): Buffer {
  const block = (isHeader: boolean): Buffer => {
    const part = Buffer.alloc(32);
    part.write('APETAGEX');
    part.writeUInt32LE(2000, 8);
    part.writeUInt32LE(100 + 32, 12);
    part.writeUInt32LE(isHeader ? 0xa0000000 : 0x80000000, 20);
    return part;
  };
  return Buffer.concat([block(true), Buffer.alloc(100, 0xff), block(false)]);
}

await describeWith(['ffmpeg'], 'decodeMp3', () => {
  it.each([
    ['cbr.mp3', 'MP3', 44_100, 2, ['-b:a', '128k']],
    ['vbr.mp3', 'MP3', 44_100, 2, ['-q:a', '3']],
    ['high.mp3', 'MP3', 48_000, 2, ['-b:a', '320k', '-ar', '48000']],
    ['mono.mp3', 'MP3', 22_050, 1, ['-ar', '22050', '-ac', '1']],
    ['low.mp3', 'MP3', 8_000, 1, ['-ar', '8000', '-ac', '1']],
    ['plain.mp3', 'MP3', 44_100, 2, ['-write_xing', '0', '-id3v2_version', '0']],
    ['layer2.mp2', 'MP2', 44_100, 2, ['-c:a', 'mp2']],
  ])('gives %s to the sample, as ffmpeg does', async (name, format, sampleRateHz, channels, options) => {
    const file = join(folder, name);
    const bytes = await make(name, ...options);
    const heard = await decodeAll(anySound, bytes);
    const wanted = await reference(file, sampleRateHz, channels);
    expect(heard).toMatchObject({ sampleRateHz, channels, warnings: [] });
    expect(heard.infos).toMatchObject([{ format, sampleRateHz, channels }]);
    expect(heard.samples.length).toBe(wanted.length);
    expect(snrDb(heard.samples, wanted)).toBeGreaterThan(80);
  });

  it('knows the length when the encoder wrote it, and cuts off what the encoder added', async () => {
    const bytes = await make('length.mp3');
    const heard = await decodeAll(decodeMp3, bytes);
    expect(heard.samples.length).toBe(2 * 88_200);
    expect(heard.infos[0]!.durationMs).toBeCloseTo(2000, 3);
  });

  it('gives the same for any chunking', async () => {
    const bytes = await make('chunks.mp3', '-t', '1', '-q:a', '5');
    await expectAnyChunking(decodeMp3, bytes, { runs: 15 });
  });

  it('passes over tags of any size, and plays files one behind the other without a gap', async () => {
    const one = await make('one.mp3', '-id3v2_version', '0', '-write_id3v1', '0');
    const two = await make('two.mp3', '-ar', '32000', '-ac', '1', '-id3v2_version', '0');
    const first = await decodeAll(decodeMp3, one);
    const second = await decodeAll(decodeMp3, two);
    const joined = Buffer.concat([
      id3v2(300_000),
      one,
      apeTag(),
      id3v1,
      id3v2(70_000),
      id3v2(10),
      two,
      one,
      one,
    ]);
    const heard = await decodeAll(anySound, joined, 1000);
    expect(heard.warnings).toEqual([]);
    const parts = [first, second, first, first].map(({ samples }) => bytesOf(samples));
    expect(bytesOf(heard.samples).equals(Buffer.concat(parts))).toBe(true);
  });

  it('joins a stream in the middle of a frame', async () => {
    const bytes = await make('radio.mp3', '-b:a', '320k', '-write_xing', '0', '-id3v2_version', '0');
    const heard = await decodeAll(anySound, bytes.subarray(1500));
    expect(heard.infos[0]!.format).toBe('MP3');
    expect(heard.warnings).toEqual([]);
    expect(heard.samples.length).toBeGreaterThan(2 * 84_000);
  });

  it('leaves out what is not MP3 in the middle, and says so', async () => {
    const bytes = await make('stray.mp3', '-b:a', '128k');
    const stray = Buffer.from('<html>502 Bad Gateway</html>'.repeat(100));
    const heard = await decodeAll(
      decodeMp3,
      Buffer.concat([bytes.subarray(0, 9000), stray, bytes.subarray(9000)]),
    );
    expect(heard.warnings).toEqual([
      expect.stringMatching(/^the sound is damaged: \d+ bytes in it are not MP3/),
    ]);
    expect(heard.samples.length).toBeGreaterThan(2 * 82_000);
    expect(heard.samples.every((value) => Math.abs(value) < 1.2)).toBe(true);
  });

  it('says when the end is missing', async () => {
    const tagged = await make('cut.mp3');
    const heard = await decodeAll(decodeMp3, tagged.subarray(0, tagged.length / 2));
    expect(heard.warnings).toEqual([
      expect.stringMatching(/^the sound is cut off: \d{3,4} ms of the length/),
    ]);
  });

  it.each([
    ['constant', ['-b:a', '128k']],
    ['variable', ['-q:a', '5']],
  ])(
    'of %s rate and untold length says so too, unless the cut lies between two frames',
    async (name, rate) => {
      const bytes = await make(
        `${name}.mp3`,
        ...['-t', '0.5', '-write_xing', '0', '-write_id3v1', '0', '-id3v2_version', '0', ...rate],
      );
      const ends: number[] = [];
      for (let at = 0; at < bytes.length; at += parseMpegHeader(bytes, at)!.frameBytes) ends.push(at);
      const lastButOne = ends.at(-2)!;
      for (const within of [1, 2, 3, 4, 5, 100, ends.at(-1)! - lastButOne - 1]) {
        const { warnings } = await decodeAll(decodeMp3, bytes.subarray(0, lastButOne + within));
        expect(warnings, `${within} bytes of the frame`).toHaveLength(1);
        expect(warnings[0]).toMatch(
          /is cut off: it ends in the middle of a frame|is damaged: \d bytes in it/,
        );
      }
      const { warnings, samples } = await decodeAll(decodeMp3, bytes.subarray(0, lastButOne));
      expect(warnings).toEqual([]);
      expect(samples.length).toBe((ends.length - 2) * 1152 * 2);
    },
  );

  it('never takes other data for MP3', async () => {
    for (const bytes of [
      Buffer.from('{"error":"no such voice"}'.repeat(500)),
      Buffer.alloc(50_000, 0xff),
      id3v2(5000),
    ])
      await expect(decodeAll(decodeMp3, bytes)).rejects.toMatchObject({ code: 'SOUND_BROKEN' });
    const noise = Uint8Array.from({ length: 300_000 }, (_, i) => (Math.imul(i, 2_654_435_761) >>> 13) & 255);
    await expect(decodeAll(anySound, noise)).rejects.toMatchObject({ code: 'SOUND_UNKNOWN' });
    await expect(decodeAll(decodeMp3, noise)).rejects.toMatchObject({ code: 'SOUND_BROKEN' });
  });

  it('is honest about damaged files', async () => {
    for (const [name, options] of [
      ['m1.mp3', ['-q:a', '4']],
      ['m2.mp3', ['-b:a', '64k', '-ac', '1']],
    ] as const) {
      const bytes = await make(name, '-t', '1', ...options);
      await expectHonesty(decodeMp3, bytes, 60);
    }
  });

  it('frees the source when nobody wants the rest', async () => {
    const bytes = await make('early.mp3');
    await expectFreedEarly(decodeMp3, bytes);
  });
});

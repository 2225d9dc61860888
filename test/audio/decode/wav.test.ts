import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWav, isForeignWav, WavParser } from '../../../src/audio/decode/wav.js';
import { BridgeError } from '../../../src/base/errors.js';
import { notingContext } from '../../support/sound-context.js';
import { collect, type Heard, joinBlocks, pieces } from '../../support/sound.js';
import { type Chunk, ds64, extensible, fmtContent, wavFile, type WavParts } from '../../support/wav.js';

const samples = Int16Array.from({ length: 1001 }, (_, i) => ((i * 7919) % 65536) - 32768);
const data = Buffer.from(samples.buffer);

async function read(bytes: Uint8Array, sizes = [bytes.length]): Promise<Heard & { warnings: string[] }> {
  const context = notingContext();
  const blocks = await collect(decodeWav(pieces(bytes, sizes), 'test.wav', context));
  return { ...joinBlocks(blocks), warnings: context.warnings };
}

const refusal = (code: string, message: string): unknown => ({
  name: 'BridgeError',
  code,
  message: expect.stringMatching(new RegExp(`test\\.wav.*${message}`)) as string,
});

const JUNK: Chunk = { id: 'JUNK', content: Buffer.alloc(28) };
const ODD: Chunk = { id: 'LIST', content: Buffer.from('INFOodd') };
const EMPTY: Chunk = { id: 'fact', content: Buffer.alloc(0) };
const LONG: Chunk = { id: 'id3 ', content: Buffer.alloc(200_001, 'x') };

describe('layouts that it reads', () => {
  const layouts: [string, Uint8Array][] = [
    ['the plain one', wavFile({ data })],
    ['chunks before the format', wavFile({ data, first: [JUNK, ODD, EMPTY, LONG] })],
    ['chunks before the samples', wavFile({ data, between: [ODD, JUNK, LONG, EMPTY] })],
    ['chunks behind the samples', wavFile({ data, last: [ODD, JUNK] })],
    ['an odd chunk without its padding', wavFile({ data, between: [{ ...ODD, padded: false }] })],
    ['a format with an extension', wavFile({ data, fmt: extensible(1, {}) })],
    [
      'a format with bytes behind it',
      wavFile({ data, fmt: Buffer.concat([extensible(1, {}), Buffer.alloc(900)]) }),
    ],
    ['a format without its bits', wavFile({ data, fmt: fmtContent({}).subarray(0, 14) })],
    ['samples of length zero, not known yet', wavFile({ data, dataBytes: 0, riffBytes: 0 })],
    ['samples of length zero in a file of 36', wavFile({ data, dataBytes: 0, riffBytes: 36 })],
    ['a length of 31 bits', wavFile({ data, dataBytes: 0x7fffffff, riffBytes: 0x7fffffff })],
    ['a length of whole pages', wavFile({ data, dataBytes: 0x7ffff000, riffBytes: 0x7ffff024 })],
    ['a length of 32 bits', wavFile({ data, dataBytes: 0xffffffff, riffBytes: 0xffffffff })],
    ['a lie about the whole size', wavFile({ data, riffBytes: 4 })],
    [
      'RF64',
      wavFile({
        data,
        riff: 'RF64',
        riffBytes: 0xffffffff,
        dataBytes: 0xffffffff,
        first: [{ id: 'ds64', content: ds64(2002n) }],
        last: [ODD],
      }),
    ],
    [
      'RF64 that does not know',
      wavFile({
        data,
        riff: 'RF64',
        riffBytes: 0xffffffff,
        dataBytes: 0xffffffff,
        first: [{ id: 'ds64', content: ds64(0n) }],
      }),
    ],
    ['a block of two samples for one', wavFile({ data, blockBytes: 4 })],
    ['a block of nothing', wavFile({ data, blockBytes: 0 })],
    ['a block in bits', wavFile({ data, blockBytes: 16 })],
    ['a block of an odd size', wavFile({ data, blockBytes: 3 })],
    ['no bits, but a block', wavFile({ data, bits: 0, blockBytes: 2 })],
    ['samples of length zero in a file whose size is right', wavFile({ data, dataBytes: 0 })],
    ...[
      2_000_000_000, 1_000_000_000, 1_999_999_964, 0x40000000, 0x7f000000, 0x80000000, 0x10000000, 0xfffffff7,
      3_000_000_000, 0x3fffffdc, 500_000_000,
    ].map((size): [string, Uint8Array] => [
      `a length of ${size}`,
      wavFile({ data, dataBytes: size, riffBytes: Math.min(size + 36, 0xffffffff) }),
    ]),
    ...[1_000_000, 100_000_000, 2 ** 20, 2 ** 24 - 1, 50_000_036].map((size): [string, Uint8Array] => [
      `a length of ${size}`,
      wavFile({ data, dataBytes: size }),
    ]),
    ['RIFX', wavFile({ data: Buffer.from(data).swap16(), riff: 'RIFX' })],
    [
      'rubbish behind the samples',
      Buffer.concat([wavFile({ data }), Buffer.from('\0\x01\x02 not a chunk at all')]),
    ],
    [
      'another sort of file behind it',
      Buffer.concat([wavFile({ data }), Buffer.from('RIFF\x08\0\0\0AVI more')]),
    ],
  ];

  it.each(layouts)('%s', async (_name, bytes) => {
    const heard = await read(bytes);
    expect(heard).toMatchObject({ sampleRateHz: 16_000, channels: 1, warnings: [] });
    expect(heard.samples).toEqual(samples);
  });

  it.each(layouts)('%s, one byte at a time', async (_name, bytes) => {
    const heard = await read(bytes, [1]);
    expect(heard.samples).toEqual(samples);
  });

  it('reads files that follow one another, each in its own format', async () => {
    const bytes = Buffer.concat([
      wavFile({ data, last: [ODD] }),
      wavFile({ data: data.subarray(0, 2000), channels: 2, sampleRateHz: 8000 }),
    ]);
    const context = notingContext();
    const blocks = await collect(decodeWav(pieces(bytes, [bytes.length]), 'test.wav', context));
    expect(blocks.map((block) => [block.samples.length, block.channels, block.sampleRateHz])).toEqual([
      [1001, 1, 16000],
      [1000, 2, 8000],
    ]);
    expect(context.infos).toHaveLength(1);
  });

  const unknown = { dataBytes: 0xffffffff, riffBytes: 0xffffffff };
  const part = wavFile({ data });
  const open = wavFile({ data, ...unknown });
  const cutShort = wavFile({ data, dataBytes: 2002 + 3200 });
  it.each<[string, Uint8Array[], number, string[]]>([
    ['three of unknown length', [open, open, open], 3, []],
    ['one of unknown length around another', [wavFile({ data: new Uint8Array(0), ...unknown }), part], 1, []],
    ['with stray bytes between', [part, Buffer.from('stray'), part, Buffer.from([0, 1, 2]), part], 3, []],
    ['with a line end between', [part, Buffer.from('\r\n'), open, part], 3, []],
    [
      'behind a chunk with a size that is wrong',
      [part, Buffer.from('LIST\xff\xff\xff\x70', 'latin1'), part],
      2,
      [],
    ],
    [
      'behind one that was cut off',
      [cutShort, part],
      2,
      ['test.wav is cut off: its last 100 ms are missing.'],
    ],
    ['big endian behind little', [open, wavFile({ data: Buffer.from(data).swap16(), riff: 'RIFX' })], 2, []],
    [
      'with a chunk of words behind each',
      [wavFile({ data, last: [ODD] }), wavFile({ data, last: [ODD] })],
      2,
      [],
    ],
    [
      'with something else behind it',
      [part, Buffer.alloc(1000, 7)],
      1,
      ['test.wav has 1000 bytes behind its sound that are no part of it and were left out.'],
    ],
    [
      'with zeros and a tag behind it',
      [part, Buffer.alloc(5000), Buffer.from('TAG'.padEnd(128, 'x'))],
      1,
      [],
    ],
  ])('reads files that were joined: %s', async (_what, files, count, warnings) => {
    const bytes = Buffer.concat(files);
    for (const sizes of [[bytes.length], [1], [7, 2000]]) {
      const heard = await read(bytes, sizes);
      // A byte that stands between two files and that no size tells from samples makes one sample more at most.
      expect(heard.samples).toEqual(
        Int16Array.from(Array.from({ length: count }, () => [...samples]).flat()),
      );
      expect(heard.warnings).toEqual(warnings);
    }
  });

  it('tells no length where the size is made up', () => {
    for (const size of [2_000_000_000, 0x40000000, 0x7f000000]) {
      const context = notingContext();
      new WavParser('test.wav', context).push(
        wavFile({ data, dataBytes: size, riffBytes: Math.min(size + 36, 0xffffffff) }),
      );
      expect(context.infos[0]?.durationMs).toBeUndefined();
    }
  });

  it('says what it is as soon as the head has passed, with the length when it is known', () => {
    const context = notingContext();
    const parser = new WavParser('test.wav', context);
    parser.push(
      wavFile({ data, channels: 2, sampleRateHz: 44_100, bits: 16, dataBytes: 44_100 * 4 }).subarray(0, 44),
    );
    const context2 = notingContext();
    new WavParser('test.wav', context2).push(wavFile({ data, dataBytes: 0xffffffff }));
    expect(context.infos).toEqual([
      { format: 'WAV, 16-bit PCM', sampleRateHz: 44_100, channels: 2, durationMs: 1000 },
    ]);
    expect(context2.infos).toEqual([{ format: 'WAV, 16-bit PCM', sampleRateHz: 16_000, channels: 1 }]);
  });

  it('hands out samples before the file is whole', () => {
    const parser = new WavParser('test.wav', notingContext());
    const bytes = wavFile({ data });
    expect(parser.push(bytes.subarray(0, 44))).toEqual([]);
    expect(parser.push(bytes.subarray(44, 49))).toMatchObject([{ samples: samples.subarray(0, 2) }]);
    expect(parser.push(bytes.subarray(49, 50))).toMatchObject([{ samples: samples.subarray(2, 3) }]);
  });
});

/** Encodes values from -1 to 1. */
function encode(
  values: readonly number[],
  bytes: number,
  write: (target: Buffer, value: number, at: number) => void,
): Buffer {
  const target = Buffer.alloc(values.length * bytes);
  values.forEach((value, i) => write(target, value, i * bytes));
  return target;
}

describe('kinds of samples', () => {
  const values = [0, 0.5, -0.5, 0.25, -1, 0.75];
  const kinds: [string, WavParts][] = [
    ['8-bit PCM', { bits: 8, data: encode(values, 1, (b, v, at) => b.writeUInt8(v * 128 + 128, at)) }],
    ['24-bit PCM', { bits: 24, data: encode(values, 3, (b, v, at) => b.writeIntLE(v * 2 ** 23, at, 3)) }],
    ['32-bit PCM', { bits: 32, data: encode(values, 4, (b, v, at) => b.writeInt32LE(v * 2 ** 31, at)) }],
    ['32-bit float', { code: 3, bits: 32, data: encode(values, 4, (b, v, at) => b.writeFloatLE(v, at)) }],
    ['64-bit float', { code: 3, bits: 64, data: encode(values, 8, (b, v, at) => b.writeDoubleLE(v, at)) }],
    [
      '24-bit PCM, big endian',
      { riff: 'RIFX', bits: 24, data: encode(values, 3, (b, v, at) => b.writeIntBE(v * 2 ** 23, at, 3)) },
    ],
    [
      '32-bit PCM, big endian',
      { riff: 'RIFX', bits: 32, data: encode(values, 4, (b, v, at) => b.writeInt32BE(v * 2 ** 31, at)) },
    ],
    [
      '32-bit float, big endian',
      { riff: 'RIFX', code: 3, bits: 32, data: encode(values, 4, (b, v, at) => b.writeFloatBE(v, at)) },
    ],
    [
      '64-bit float, big endian',
      { riff: 'RIFX', code: 3, bits: 64, data: encode(values, 8, (b, v, at) => b.writeDoubleBE(v, at)) },
    ],
    [
      '20 bits in three bytes',
      { bits: 20, data: encode(values, 3, (b, v, at) => b.writeIntLE(v * 2 ** 23, at, 3)) },
    ],
    [
      '24 bits in four bytes',
      { bits: 24, blockBytes: 4, data: encode(values, 4, (b, v, at) => b.writeInt32LE(v * 2 ** 31, at)) },
    ],
  ];

  it.each(kinds)('%s', async (_name, parts) => {
    const heard = await read(wavFile(parts));
    expect(heard.samples).toEqual(Float32Array.from(values));
  });

  it('tells float from int by the sub-format', async () => {
    const floats = encode(values, 4, (b, v, at) => b.writeFloatLE(v, at));
    const ints = encode(values, 4, (b, v, at) => b.writeInt32LE(v * 2 ** 31, at));
    const float = await read(wavFile({ fmt: extensible(3, { bits: 32 }), data: floats }));
    const int = await read(wavFile({ fmt: extensible(1, { bits: 32 }, 24), data: ints }));
    expect(float.samples).toEqual(Float32Array.from(values));
    expect(int.samples).toEqual(Float32Array.from(values));
  });

  it('keeps 12 bits in two bytes as the integers that they are', async () => {
    const heard = await read(wavFile({ bits: 12, data }));
    expect(heard.samples).toEqual(samples);
  });
});

describe('what it refuses', () => {
  it.each<[string, Uint8Array, string, string]>([
    [
      'samples before their format',
      wavFile({ data, first: [{ id: 'data', content: data }] }),
      'SOUND_BROKEN',
      "'data'.*before.*'fmt '",
    ],
    ['no channels', wavFile({ data, channels: 0, blockBytes: 2 }), 'SOUND_BROKEN', '0 channels'],
    [
      'too many channels',
      wavFile({ data, channels: 60_000, blockBytes: 2 }),
      'SOUND_BROKEN',
      '60000 channels',
    ],
    ['no rate', wavFile({ data, sampleRateHz: 0 }), 'SOUND_BROKEN', '0 Hz'],
    ['an absurd rate', wavFile({ data, sampleRateHz: 4_000_000_000 }), 'SOUND_BROKEN', '4000000000 Hz'],
    ['no bits and no block', wavFile({ data, bits: 0, blockBytes: 0 }), 'SOUND_BROKEN', '0-bit PCM'],
    ['too many bits', wavFile({ data, bits: 40 }), 'SOUND_BROKEN', '40-bit PCM'],
    ['floats of 16 bits', wavFile({ data, code: 3 }), 'SOUND_BROKEN', '16-bit floats'],
    ['a format that is too short', wavFile({ data, fmt: Buffer.alloc(8) }), 'SOUND_BROKEN', '8 bytes'],
    ['a format of nothing', wavFile({ data, fmt: Buffer.alloc(0) }), 'SOUND_BROKEN', '0 bytes'],
    ['another codec', wavFile({ data, code: 0x11, bits: 4, blockBytes: 1024 }), 'SOUND_UNKNOWN', 'IMA ADPCM'],
    [
      'another sub-format',
      wavFile({ data, fmt: Buffer.concat([extensible(1, {}).subarray(0, 24), Buffer.alloc(16, 9)]) }),
      'SOUND_UNKNOWN',
      'sub-format 0909',
    ],
    ['no samples at all', wavFile(), 'SOUND_EMPTY', 'without samples'],
    ['no samples but chunks behind', wavFile({ last: [ODD, JUNK] }), 'SOUND_EMPTY', 'without samples'],
    [
      'no samples between odd chunks',
      wavFile({ between: [ODD, ODD], last: [EMPTY] }),
      'SOUND_EMPTY',
      'without samples',
    ],
    ['a head alone', wavFile({ data }).subarray(0, 44), 'SOUND_EMPTY', 'without samples'],
    ['less than a sample', wavFile({ data, channels: 2 }).subarray(0, 47), 'SOUND_EMPTY', 'without samples'],
    [
      'an end within the format',
      wavFile({ data }).subarray(0, 30),
      'SOUND_BROKEN',
      'ends before its samples',
    ],
    [
      'a chunk that swallows the rest',
      wavFile({ data, first: [{ ...JUNK, bytes: 1e9 }] }),
      'SOUND_BROKEN',
      "chunk 'JUNK'.*bytes more",
    ],
    ['something else', Buffer.from('RIFF1234AVI and so on'), 'SOUND_UNKNOWN', 'not a WAV'],
  ])('%s', async (_name, bytes, code, message) => {
    await expect(read(bytes)).rejects.toMatchObject(refusal(code, message) as object);
    await expect(read(bytes, [1])).rejects.toMatchObject(refusal(code, message) as object);
  });

  it('speaks a file that is cut off up to there, and warns', async () => {
    const heard = await read(wavFile({ data, dataBytes: 2 * 9001 }));
    expect(heard.samples).toEqual(samples);
    expect(heard.warnings).toEqual(['test.wav is cut off: its last 500 ms are missing.']);
  });
});

describe('chunking', () => {
  it('makes no difference', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<WavParts>(
          { bits: 8, channels: 3 },
          { bits: 16, channels: 2 },
          { bits: 24, channels: 5 },
          { bits: 32, riff: 'RIFX' },
          { code: 3, bits: 64, channels: 2 },
          { code: 6, bits: 8 },
        ),
        fc.array(fc.constantFrom(JUNK, ODD, EMPTY), { maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 10 }),
        async (parts, between, sizes) => {
          // Zeros would hide a shift of one byte, and random floats can be NaN.
          const content = Buffer.from(Array.from({ length: 240 * 4 + 5 }, (_, i) => (i * 37) % 120));
          const bytes = wavFile({ ...parts, between, data: content, last: [ODD] });
          const whole = await read(bytes);
          const cut = await read(bytes, sizes);
          expect(cut.samples).toEqual(whole.samples);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('damage', () => {
  it('never crashes or hangs it: bytes changed, cut out and put in by the hundred', () => {
    const sources = [
      wavFile({ data: data.subarray(0, 400), first: [JUNK], between: [ODD] }),
      wavFile({ data: data.subarray(0, 400), fmt: extensible(3, { bits: 32, channels: 2 }) }),
      wavFile({ data: data.subarray(0, 400), riff: 'RIFX' }),
      wavFile({
        data: data.subarray(0, 400),
        riff: 'RF64',
        first: [{ id: 'ds64', content: ds64(400n) }],
        dataBytes: 0xffffffff,
      }),
    ];
    const edit = fc.record({
      at: fc.integer({ min: 0, max: 120 }),
      remove: fc.integer({ min: 0, max: 4 }),
      insert: fc.uint8Array({ maxLength: 4 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...sources),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 700 }),
        (source, edits, chunk) => {
          let bytes = source;
          for (const { at, remove, insert } of edits)
            bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
          const parser = new WavParser('test.wav', notingContext());
          let total = 0;
          try {
            for (let at = 0; at < bytes.length; at += chunk)
              for (const block of parser.push(bytes.subarray(at, at + chunk))) {
                expect(block.samples.length % block.channels).toBe(0);
                total += block.samples.length;
              }
            for (const block of parser.end()) total += block.samples.length;
            expect(total).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toBeInstanceOf(BridgeError);
            expect((error as BridgeError).message).toContain('test.wav');
          }
          expect(total).toBeLessThanOrEqual(bytes.length);
        },
      ),
      { numRuns: 1500 },
    );
  });
});

describe('isForeignWav', () => {
  it('leaves PCM alone, claims other codecs and asks for more until it knows', () => {
    const foreign = wavFile({ data, code: 0x55, first: [JUNK] });
    expect(isForeignWav(wavFile({ data }))).toBe(false);
    expect(isForeignWav(foreign)).toBe(true);
    expect(isForeignWav(foreign.subarray(0, 60))).toBe('more');
    expect(isForeignWav(Buffer.from('OggS'))).toBe(false);
    expect(isForeignWav(wavFile({ data, channels: 0 }))).toBe(false);
  });
});

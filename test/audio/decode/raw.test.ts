import { describe, expect, it } from 'vitest';
import { parseRawFormat, RAW_ENCODINGS, rawDecoder } from '../../../src/audio/decode/raw.js';
import { notingContext } from '../../support/sound-context.js';
import { collect, joinBlocks, pieces } from '../../support/sound.js';

describe('parseRawFormat', () => {
  it.each(RAW_ENCODINGS)('knows %s', (encoding) => {
    expect(parseRawFormat(`${encoding}:24000:2`)).toEqual({ encoding, sampleRateHz: 24_000, channels: 2 });
  });

  it('takes one channel when none is named, and letters of any case', () => {
    expect(parseRawFormat(' S16LE:4000 ')).toEqual({ encoding: 's16le', sampleRateHz: 4000, channels: 1 });
  });

  it.each([
    ['', 'encoding must be one of s16le'],
    ['mp3:24000:1', 'encoding'],
    ['s16le', 'rate must be 4000 to 384000'],
    ['s16le:24k:1', 'rate'],
    ['s16le:3999:1', 'rate'],
    ['s16le:384001:1', 'rate'],
    ['s16le:1e5:1', 'rate'],
    ['s16le:24000:0', 'channels must be 1 to 8'],
    ['s16le:24000:9', 'channels'],
    ['s16le:24000:', 'channels'],
    ['s16le:24000:1:2', 'three parts'],
  ])("says what is wrong with '%s'", (text, message) => {
    expect(() => parseRawFormat(text)).toThrow(
      expect.objectContaining({
        code: 'OPTION_INVALID',
        message: expect.stringContaining(message) as string,
      }) as Error,
    );
  });
});

describe('rawDecoder', () => {
  const read = async (text: string, bytes: Uint8Array, sizes = [3]) => {
    const context = notingContext();
    const decode = rawDecoder(parseRawFormat(text));
    const blocks = await collect(decode(pieces(bytes, sizes), 'standard input', context));
    return { ...joinBlocks(blocks), ...context };
  };

  it.each([
    ['s16le', [0x00, 0xc0], -0.5],
    ['s16be', [0xc0, 0x00], -0.5],
    ['u8', [0x40], -0.5],
    ['s24le', [0x00, 0x00, 0xc0], -0.5],
    ['s32le', [0x00, 0x00, 0x00, 0xc0], -0.5],
    ['f32le', [0x00, 0x00, 0x00, 0xbf], -0.5],
    ['mulaw', [0x7f], 0],
    ['mulaw', [0x00], -32124 / 32768],
    ['alaw', [0x2a], -32256 / 32768],
    ['alaw', [0xd5], 8 / 32768],
  ])('%s', async (encoding, bytes, value) => {
    const { samples, infos } = await read(
      `${encoding}:8000`,
      Uint8Array.from([...bytes, ...bytes, ...bytes]),
    );
    const scale = samples instanceof Int16Array ? 32768 : 1;
    expect([...samples].map((sample) => sample / scale + 0)).toEqual([value, value, value]);
    expect(infos).toEqual([{ format: `raw ${encoding}`, sampleRateHz: 8000, channels: 1 }]);
  });

  it('warns when it ends within a sample', async () => {
    const { samples, warnings } = await read('s16le:16000:2', Uint8Array.from([1, 0, 2, 0, 3]));
    expect(samples).toEqual(Int16Array.of(1, 2));
    expect(warnings).toEqual([expect.stringContaining('in the middle of a sample')]);
  });

  it('is empty without a whole sample', async () => {
    await expect(read('s16le:16000:2', Uint8Array.of(1, 2, 3))).rejects.toMatchObject({
      code: 'SOUND_EMPTY',
    });
  });
});

import fc from 'fast-check';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Decode } from '../../src/audio/pcm.js';
import { decodeSound } from '../../src/audio/probe.js';
import {
  decodeAll,
  type Decoded,
  encode,
  int16Of,
  reference,
  snrDb,
  temporaryFolder,
  testSignal,
} from './codecs.js';
import { notingContext } from './sound-context.js';
import { bytesOf, pieces } from './sound.js';
import { wavOf } from './wav.js';

/** The decoder that a sound finds by its first bytes. */
export const anySound: Decode = (chunks, label, context) => decodeSound(chunks, label, context);

/** What the tests of a decoder work with. */
export interface DecoderWorkshop {
  readonly folder: string;
  /** Two seconds of stereo sound. */
  readonly wav: Buffer;
  /** That sound through ffmpeg with the given output options, in a file of that name in the folder. */
  make(name: string, ...options: readonly string[]): Promise<Buffer>;
}

/** @param rateHz of the sound that is made there */
export async function decoderWorkshop(rateHz: number): Promise<DecoderWorkshop> {
  const folder = await temporaryFolder();
  const wav = wavOf(int16Of(testSignal(2, rateHz, 2)), rateHz, 2);
  return { folder, wav, make: (name, ...options) => encode(wav, join(folder, name), ...options) };
}

/** Takes one block and no more: the source must be freed then. */
export async function expectFreedEarly(decode: Decode, bytes: Uint8Array, pieceBytes = 1000): Promise<void> {
  let freed = false;
  const source = (async function* () {
    try {
      yield* pieces(bytes, pieceBytes);
    } finally {
      freed = true;
    }
  })();
  for await (const block of decode(source, 'x', notingContext())) {
    expect(block.samples.length).toBeGreaterThan(0);
    break;
  }
  expect(freed).toBe(true);
}

/** Decodes an Opus file of the workshop's sound: it must be whole, without lead-in and surplus, and like ffmpeg's. */
export async function expectLikeFfmpeg(bytes: Uint8Array, file: string, channels: number): Promise<Decoded> {
  const heard = await decodeAll(anySound, bytes);
  const wanted = await reference(file, 16_000, channels);
  expect(heard).toMatchObject({ sampleRateHz: 16_000, channels, warnings: [] });
  expect(Math.abs(heard.samples.length / channels - 32_000)).toBeLessThanOrEqual(1);
  // Another decoder, which makes 48 kHz, and a resampler. Theirs for SILK differ by parts of a sample.
  expect(snrDb(heard.samples, wanted)).toBeGreaterThan(channels === 1 ? 25 : 50);
  return heard;
}

/** The same bytes in pieces of any size must give the same samples. */
export async function expectAnyChunking(
  decode: Decode,
  bytes: Uint8Array,
  options: { longest?: number; runs?: number } = {},
): Promise<void> {
  const { longest = 3000, runs = 10 } = options;
  const whole = bytesOf((await decodeAll(decode, bytes, bytes.length)).samples);
  expect(bytesOf((await decodeAll(anySound, bytes, 1)).samples).equals(whole)).toBe(true);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: longest }), { minLength: 1, maxLength: 8 }),
      async (sizes) => {
        expect(bytesOf((await decodeAll(decode, bytes, sizes)).samples).equals(whole)).toBe(true);
      },
    ),
    { numRuns: runs },
  );
}

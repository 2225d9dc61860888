import { join } from 'node:path';
import { expect } from 'vitest';
import type { Decode } from '../../src/audio/pcm.js';
import { decodeSound } from '../../src/audio/probe.js';
import { encode, pieces, temporaryFolder, testSignal, wavOf } from './codecs.js';
import { notingContext } from './sound-context.js';

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
  const wav = wavOf(testSignal(2, rateHz, 2), rateHz, 2);
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

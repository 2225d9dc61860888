import type { PcmBlock } from '../../src/audio/pcm.js';

/** Everything that an iterable yields. */
export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of iterable) all.push(item);
  return all;
}

/** Bytes in pieces: of one size, or of the sizes given, over and over. */
export async function* pieces(
  bytes: Uint8Array,
  sizes: number | readonly number[],
): AsyncGenerator<Uint8Array> {
  const list = typeof sizes === 'number' ? [sizes] : sizes;
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(1, list[i % list.length]!);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** Samples as the bytes that hold them, for writing them or for comparing quickly. */
export function bytesOf(samples: Int16Array | Float32Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}

/** All samples of a sound, interleaved, as one array of its kind, with the format of its blocks. */
export interface Heard {
  readonly samples: Float32Array | Int16Array;
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly blocks: number;
}

/** Joins blocks, which must all be of one format. */
export function joinBlocks(blocks: readonly PcmBlock[]): Heard {
  const first = blocks[0];
  if (!first) throw new Error('There is no block.');
  const { sampleRateHz, channels } = first;
  const length = blocks.reduce((sum, block) => sum + block.samples.length, 0);
  const samples = first.samples instanceof Int16Array ? new Int16Array(length) : new Float32Array(length);
  let at = 0;
  for (const block of blocks) {
    if (block.sampleRateHz !== sampleRateHz || block.channels !== channels)
      throw new Error('The format changes between blocks.');
    samples.set(block.samples, at);
    at += block.samples.length;
  }
  return { samples, sampleRateHz, channels, blocks: blocks.length };
}

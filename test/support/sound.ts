import { spawnSync } from 'node:child_process';
import type { EncodedChunk, PcmBlock, SoundContext, SoundInfo } from '../../src/audio/pcm.js';

/** A context that writes down what a sound said of itself. */
export interface RecordedContext extends SoundContext {
  readonly infos: SoundInfo[];
  readonly warnings: string[];
}

/** A context for a sound under test. */
export function recordedContext(signal: AbortSignal = new AbortController().signal): RecordedContext {
  const infos: SoundInfo[] = [];
  const warnings: string[] = [];
  return {
    signal,
    infos,
    warnings,
    info: (info) => void infos.push(info),
    warn: (message) => void warnings.push(message),
  };
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

/** Everything that an iterable yields. */
export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of iterable) all.push(item);
  return all;
}

/** Bytes in chunks of the given sizes, over and over. */
export async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<EncodedChunk> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/**
 * Whether a program is there. Where a user's machine lacks it the tests that need it are skipped by name; in CI it must
 * be there.
 */
export function hasProgram(program: string): boolean {
  const found = spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
  if (!found && process.env['CI'] === 'true') throw new Error(`${program} is missing, and CI must not skip.`);
  return found;
}

/** Runs a program to its end. @returns what it wrote to its standard output */
export function run(program: string, args: readonly string[], input?: Uint8Array): Buffer {
  const result = spawnSync(program, args, { input, maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`${program} failed: ${result.stderr.toString()}`);
  return result.stdout;
}

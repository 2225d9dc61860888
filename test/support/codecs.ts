import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Decode, SoundInfo } from '../../src/audio/pcm.js';
import { findProgram, startProgram } from '../../src/base/child.js';
import { notingContext } from './sound-context.js';
import { pieces } from './sound.js';

/** A folder of its own that is removed after the file's tests. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'codecs-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a program to its end; its output. Throws what it said when it failed. */
export async function run(name: string, args: readonly string[], input?: Uint8Array): Promise<Buffer> {
  const program = startProgram(
    (await findProgram(name)) ?? name,
    args,
    input ? { stdin: pieces(input, 65_536) } : {},
  );
  const parts: Uint8Array[] = [];
  for await (const chunk of program.stdout) parts.push(chunk);
  const exit = await program.exit;
  if (exit.code !== 0)
    throw new Error(`${name} ${args.join(' ')}: ${program.stderrTail()} ${String(exit.error)}`);
  return Buffer.concat(parts);
}

/** The bytes of a sound, from WAV through ffmpeg with the given output options. */
export async function encode(wav: Uint8Array, path: string, ...options: readonly string[]): Promise<Buffer> {
  await run('ffmpeg', ['-v', 'error', '-y', '-i', 'pipe:0', ...options, path], wav);
  return readFile(path);
}

/** What ffmpeg decodes from a file: interleaved floats; a downmix is an average. */
export async function reference(path: string, rateHz: number, channels: number): Promise<Float32Array> {
  const out = [
    '-f',
    'f32le',
    '-ar',
    String(rateHz),
    '-ac',
    String(channels),
    '-rematrix_maxval',
    '1',
    'pipe:1',
  ];
  const bytes = await run('ffmpeg', ['-v', 'error', '-i', path, '-map', '0:a:0', ...out]);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Two voices' worth of tones with a slow swell: something in every band, never the same twice. Interleaved floats. */
export function testSignal(seconds: number, rateHz: number, channels: number): Float32Array {
  const samples = new Float32Array(Math.round(seconds * rateHz) * channels);
  for (let i = 0; i < samples.length / channels; i++) {
    const t = i / rateHz;
    const swell = 0.5 + 0.4 * Math.sin(2 * Math.PI * 1.7 * t);
    for (let channel = 0; channel < channels; channel++) {
      const pitch = 180 * (1 + channel * 0.31) + 40 * Math.sin(2 * Math.PI * 0.6 * t);
      let value = 0;
      for (let n = 1; n <= 9; n++) value += Math.sin(2 * Math.PI * pitch * n * t) / n;
      samples[i * channels + channel] = 0.3 * swell * value;
    }
  }
  return samples;
}

/** Floats as 16-bit samples, rounded and clipped. */
export function int16Of(samples: Float32Array): Int16Array {
  return Int16Array.from(samples, (value) => Math.max(-32768, Math.min(32767, Math.round(value * 32768))));
}

/** A whole decoded sound. */
export interface Decoded {
  /** Interleaved; integers are scaled to -1 to 1. */
  readonly samples: Float32Array;
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly infos: readonly SoundInfo[];
  readonly warnings: readonly string[];
}

/** Decodes to the end. @param sizes of the pieces in which the bytes come */
export async function decodeAll(
  decode: Decode,
  bytes: Uint8Array,
  sizes: number | readonly number[] = 4096,
  signal?: AbortSignal,
): Promise<Decoded> {
  const context = notingContext(signal);
  const parts: Float32Array[] = [];
  let [sampleRateHz, channels, length] = [0, 0, 0];
  for await (const block of decode(pieces(bytes, sizes), 'the sound', context)) {
    const scale = block.samples instanceof Int16Array ? 1 / 32768 : 1;
    const part = Float32Array.from(block.samples, (value) => value * scale);
    [sampleRateHz, channels] = [block.sampleRateHz, block.channels];
    length += part.length;
    parts.push(part);
  }
  const samples = new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    samples.set(part, at);
    at += part.length;
  }
  return { samples, sampleRateHz, channels, infos: context.infos, warnings: context.warnings };
}

/** How far `heard` is from `wanted`, in dB of signal over error, over the length that both have. */
export function snrDb(heard: Float32Array, wanted: Float32Array): number {
  let [signal, error] = [0, 0];
  const length = Math.min(heard.length, wanted.length);
  for (let i = 0; i < length; i++) {
    signal += wanted[i]! ** 2;
    error += (heard[i]! - wanted[i]!) ** 2;
  }
  return error === 0 ? Infinity : 10 * Math.log10(signal / error);
}

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from 'vitest';
import type { Decode, SoundInfo } from '../../src/audio/pcm.js';
import { findProgram, startProgram } from '../../src/base/child.js';

/**
 * `describe` for tests that need programs which a user's machine may lack: there they are skipped and say why; where
 * CI is set a missing one is a failure.
 */
export async function describeWith(
  programs: readonly string[],
  name: string,
  body: () => void,
): Promise<void> {
  const paths = await Promise.all(programs.map((program) => findProgram(program)));
  const absent = programs.filter((_, i) => !paths[i]);
  if (absent.length === 0) return void describe(name, body);
  const reason = `${absent.join(', ')} not installed`;
  if (process.env.CI) throw new Error(`${name}: ${reason}`);
  describe.skip(`${name} (${reason})`, body);
}

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

/** A 16-bit PCM WAV file of floats. */
export function wavOf(samples: Float32Array, rateHz: number, channels: number): Buffer {
  const wav = Buffer.alloc(44 + samples.length * 2);
  wav.write('RIFF');
  wav.writeUInt32LE(36 + samples.length * 2, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(channels, 22);
  wav.writeUInt32LE(rateHz, 24);
  wav.writeUInt32LE(rateHz * channels * 2, 28);
  wav.writeUInt16LE(channels * 2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(samples.length * 2, 40);
  samples.forEach((value, i) =>
    wav.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(value * 32768))), 44 + 2 * i),
  );
  return wav;
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
  signal: AbortSignal = new AbortController().signal,
): Promise<Decoded> {
  const infos: SoundInfo[] = [];
  const warnings: string[] = [];
  const context = {
    signal,
    info: (info: SoundInfo) => void infos.push(info),
    warn: (message: string) => void warnings.push(message),
  };
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
  return { samples, sampleRateHz, channels, infos, warnings };
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

/** The bytes of samples, for comparing quickly. */
export function bytesOf(samples: Float32Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}

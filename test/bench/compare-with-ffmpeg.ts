import { readdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createConverter } from '../../src/audio/convert.js';
import { findProgram, startProgram } from '../../src/base/child.js';
import { fileSound } from '../../src/source/file.js';
import { streamSound } from '../../src/source/memory.js';
import { createReadStream } from 'node:fs';

/*
 * `npm run compare -- FOLDER...`: decodes every file of these folders as the bridge does, from its path and from its bytes
 * as an upload, and compares it with ffmpeg: the length to 3 ms, the sound by its ratio of signal to difference. What
 * ffmpeg does not play is left out unless the bridge does.
 */

/** How a file came out. */
export interface Comparison {
  readonly file: string;
  /** `same`; `differs` in length or sound; `refused` where ffmpeg plays; `more` where ffmpeg does not; `neither`. */
  readonly verdict: 'same' | 'differs' | 'refused' | 'more' | 'neither';
  readonly lengthMs: number;
  readonly offMs: number;
  /** Signal over difference, in dB; the larger, the more alike. */
  readonly snrDb: number;
  readonly said: string;
}

const RATE_HZ = 16_000;
const MAX_OFF_MS = 3;
/** A codec with its own decoder here, a resampler of its own and a downmix of its own stay above this. */
const MIN_SNR_DB = 20;
/** Tries where the two decoders start, in samples. */
const MAX_SHIFT = 48;
const MAX_SECONDS = 600;

/** Decodes a file both ways and compares. */
export async function compare(file: string): Promise<Comparison> {
  const wanted = await throughFfmpeg(file);
  const none = { file, lengthMs: 0, offMs: 0, snrDb: 0 };
  const heard: Heard[] = [];
  for (const source of ['path', 'upload'] as const) {
    const outcome = await decode(file, source);
    if (outcome.samples.length === 0 || outcome.error !== undefined) {
      const said = `${source}: ${outcome.error ?? 'no sound'}`;
      return { ...none, verdict: wanted ? 'refused' : 'neither', said };
    }
    heard.push(outcome);
  }
  const said = [...new Set(heard.flatMap(({ warnings }) => warnings))].join(' | ');
  const lengthMs = (heard[0]!.samples.length / RATE_HZ) * 1000;
  if (!wanted) return { ...none, verdict: 'more', lengthMs, said };
  const offs = heard.map(({ samples }) => ((samples.length - wanted.length) / RATE_HZ) * 1000);
  const offMs = offs.reduce((worst, off) => (Math.abs(off) > Math.abs(worst) ? off : worst));
  const snrDb = Math.min(...heard.map(({ samples }) => bestSnrDb(samples, wanted)));
  const same = Math.abs(offMs) <= MAX_OFF_MS && snrDb >= MIN_SNR_DB;
  return { file, verdict: same ? 'same' : 'differs', lengthMs, offMs, snrDb, said };
}

interface Heard {
  readonly samples: Int16Array;
  readonly warnings: readonly string[];
  readonly error?: string | undefined;
}

async function decode(file: string, source: 'path' | 'upload'): Promise<Heard> {
  const warnings: string[] = [];
  const context = {
    signal: new AbortController().signal,
    info: () => undefined,
    warn: (message: string) => void warnings.push(message),
  };
  const sound =
    source === 'path' ? fileSound(file) : streamSound(createReadStream(file), { label: 'upload' });
  const converter = await createConverter();
  const parts: Int16Array[] = [];
  let error: string | undefined;
  let length = 0;
  try {
    for await (const block of sound.open(context)) {
      const part = converter.push(block).slice();
      parts.push(part);
      if ((length += part.length) > MAX_SECONDS * RATE_HZ) break;
    }
    parts.push(converter.flush());
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : String(thrown);
  } finally {
    converter.close();
  }
  return { samples: joined(parts), warnings, error };
}

/** What ffmpeg makes of a file's sound: every channel at 16 kHz, mixed with the weights of this project. */
async function throughFfmpeg(file: string): Promise<Int16Array | undefined> {
  const path = await findProgram('ffmpeg');
  if (path === undefined) throw new Error('ffmpeg is not installed.');
  const program = startProgram(path, [
    ...['-v', 'error', '-nostdin', '-i', `file:${file}`, '-map', '0:a:0', '-vn', '-t', String(MAX_SECONDS)],
    ...['-ar', String(RATE_HZ), '-c:a', 'pcm_f32le', '-f', 'wav', 'pipe:1'],
  ]);
  const { decodeWav } = await import('../../src/audio/decode/wav.js');
  const converter = await createConverter();
  const parts: Int16Array[] = [];
  const context = { signal: new AbortController().signal, info: () => undefined, warn: () => undefined };
  try {
    for await (const block of decodeWav(program.stdout, file, context))
      parts.push(converter.push(block).slice());
    parts.push(converter.flush());
  } catch {
    return undefined;
  } finally {
    converter.close();
  }
  const samples = joined(parts);
  return samples.length > 0 ? samples : undefined;
}

function joined(parts: readonly Int16Array[]): Int16Array {
  const all = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The ratio at the shift at which both are most alike: decoders differ in where they cut an encoder's lead-in. */
function bestSnrDb(heard: Int16Array, wanted: Int16Array): number {
  let best = -Infinity;
  for (let shift = -MAX_SHIFT; shift <= MAX_SHIFT; shift++) {
    let [signal, difference] = [0, 0];
    const from = Math.max(0, -shift);
    const to = Math.min(wanted.length, heard.length - shift);
    for (let i = from; i < to; i += 1) {
      signal += wanted[i]! ** 2;
      difference += (heard[i + shift]! - wanted[i]!) ** 2;
    }
    const snrDb = difference === 0 ? Infinity : 10 * Math.log10(signal / difference);
    // Silence, and what rounding leaves of nearly nothing.
    if (difference <= 4 * Math.max(1, to - from)) return Infinity;
    best = Math.max(best, snrDb);
  }
  return best;
}

/** Every file below these folders, or the files themselves. */
async function filesOf(places: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(
    places.map(async (place) => {
      const entries = await readdir(place, { withFileTypes: true, recursive: true }).catch(() => undefined);
      if (!entries) return [resolve(place)];
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => resolve(join(entry.parentPath, entry.name)));
    }),
  );
  return lists.flat().sort();
}

async function main(places: readonly string[]): Promise<void> {
  if (places.length === 0) {
    console.error('Give folders or files: npm run compare -- FOLDER...');
    process.exitCode = 2;
    return;
  }
  const counts = new Map<string, number>();
  for (const file of await filesOf(places)) {
    const result = await compare(file);
    counts.set(result.verdict, (counts.get(result.verdict) ?? 0) + 1);
    const figures =
      result.verdict === 'same' || result.verdict === 'differs'
        ? `${(result.lengthMs / 1000).toFixed(3)} s, off ${result.offMs.toFixed(2)} ms, ${result.snrDb.toFixed(1)} dB`
        : '';
    const line = [result.verdict.padEnd(8), JSON.stringify(relative('.', file)), figures, result.said];
    if (result.verdict !== 'same' || result.said !== '' || process.env.VERBOSE)
      console.log(line.filter(Boolean).join('  '));
  }
  console.log([...counts].map(([verdict, count]) => `${verdict} ${count}`).join(', '));
  if ((counts.get('differs') ?? 0) + (counts.get('refused') ?? 0) > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));

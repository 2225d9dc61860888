import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../src/base/child.js';
import { wavOf } from '../support/wav.js';
import { speechLikeNoise } from './load.js';

/** The same sound in one of the formats that people have at hand. */
export interface EncodedSound {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Who streams Ogg live makes short pages: nothing of a page sounds before its end. */
const LIVE_PAGES = ['-page_duration', '20000'];

/** 44.1 kHz stereo, as files of music are; Opus has only 48 kHz. */
const ENCODINGS: readonly { name: string; file: string; args: readonly string[] }[] = [
  { name: 'WAV', file: 'a.wav', args: ['-c:a', 'pcm_s16le', '-ar', '44100'] },
  { name: 'MP3', file: 'a.mp3', args: ['-c:a', 'libmp3lame', '-b:a', '128k', '-ar', '44100'] },
  { name: 'FLAC', file: 'a.flac', args: ['-c:a', 'flac', '-ar', '44100'] },
  {
    name: 'Ogg Opus',
    file: 'a.opus',
    args: ['-c:a', 'libopus', '-b:a', '64k', '-ar', '48000', ...LIVE_PAGES],
  },
  { name: 'WebM Opus', file: 'a.webm', args: ['-c:a', 'libopus', '-b:a', '64k', '-ar', '48000'] },
  { name: 'AAC', file: 'a.aac', args: ['-c:a', 'aac', '-b:a', '128k', '-ar', '44100'] },
  { name: 'Ogg Vorbis', file: 'a.ogg', args: ['-c:a', 'libvorbis', '-ar', '44100', ...LIVE_PAGES] },
];

const encoded = new Map<number, Promise<EncodedSound[]>>();

/** The test sound in every format, made once a run; without ffmpeg, which makes them, as WAV alone. */
export function encodedSounds(seconds: number): Promise<EncodedSound[]> {
  let sounds = encoded.get(seconds);
  if (!sounds) encoded.set(seconds, (sounds = encode(seconds)));
  return sounds;
}

async function encode(seconds: number): Promise<EncodedSound[]> {
  const wav = wavOf(murmur(seconds), 16_000);
  const ffmpeg = await findProgram('ffmpeg');
  if (!ffmpeg) return [{ name: 'WAV', bytes: wav }];
  const folder = mkdtempSync(join(tmpdir(), 'mmdagent-bench-'));
  try {
    return ENCODINGS.map(({ name, file, args }) => {
      const path = join(folder, file);
      const { status, stderr } = spawnSync(
        ffmpeg,
        ['-v', 'error', '-i', 'pipe:0', '-ac', '2', ...args, path],
        { input: wav },
      );
      if (status !== 0) throw new Error(`ffmpeg could not make ${file}: ${stderr.toString()}`);
      return { name, bytes: readFileSync(path) };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Noise with its highs taken off: encoders treat it about as they do a voice. */
function murmur(seconds: number): Int16Array {
  let smooth = 0;
  return speechLikeNoise(seconds).map((sample) => (smooth += (sample - smooth) * 0.2));
}

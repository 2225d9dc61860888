import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { FLACDecoder } from '@wasm-audio-decoders/flac';
import { MPEGDecoder } from 'mpg123-decoder';
import { createConverter } from '../../src/audio/convert.js';
import { decodeWithFfmpeg } from '../../src/audio/decode/ffmpeg.js';
import { OggPages } from '../../src/audio/decode/ogg-pages.js';
import { loadOpus } from '../../src/audio/decode/opus.js';
import { FORMATS } from '../../src/audio/decode/table.js';
import type { SoundContext } from '../../src/audio/pcm.js';
import { decodeSound } from '../../src/audio/probe.js';
import { encodedSounds } from './formats.js';
import { secondsPerCpuSecond, secondsPerSecond } from './speed.js';
import type { Bench, Row } from './table.js';

const CHUNK_BYTES = 16_384;

/** How fast each format becomes the avatar's. */
export const decoding: Bench = {
  name: 'decoding',
  title:
    'Decoding and conversion, in seconds of sound per CPU second (ffmpeg: per second), against the bare decoder',
  async run(quick) {
    const seconds = quick ? 1 : 20;
    const rows: Row[] = [];
    const sounds = await encodedSounds(seconds);
    const opus = sounds.find(({ name }) => name === 'Ogg Opus');
    for (const { name, bytes } of sounds) {
      const format = FORMATS.find(({ matches }) => matches(bytes.subarray(0, 4096)) === true);
      // Another process does the work, of whose CPU time this one knows nothing.
      const outside = format?.decode === decodeWithFfmpeg;
      const measure = outside ? secondsPerSecond : secondsPerCpuSecond;
      const figure = await measure(seconds, quick, () => decodeAndConvert(bytes));
      const bare = outside
        ? () => ffmpegAlone(bytes)
        : bareDecoder(name, name === 'WebM Opus' ? opus!.bytes : bytes);
      rows.push({
        what: outside ? `${name}, by ffmpeg` : name,
        figure,
        unit: 's/s',
        ...(bare && {
          baseline: { what: 'bare decoder', figure: await measure(seconds, quick, bare) },
        }),
      });
    }
    return rows;
  },
};

async function decodeAndConvert(bytes: Uint8Array): Promise<void> {
  const converter = await createConverter();
  const context: SoundContext = {
    signal: new AbortController().signal,
    info: () => undefined,
    warn: () => undefined,
  };
  try {
    for await (const block of decodeSound(chunks(bytes), 'sound', context)) converter.push(block);
    converter.flush();
  } finally {
    converter.close();
  }
}

function bareDecoder(name: string, bytes: Uint8Array): (() => Promise<void> | void) | undefined {
  switch (name) {
    case 'MP3':
      return async () => {
        const decoder = new MPEGDecoder();
        await decoder.ready;
        decoder.decode(bytes);
        decoder.free();
      };
    case 'FLAC':
      return async () => {
        const decoder = new FLACDecoder();
        await decoder.ready;
        await decoder.decodeFile(bytes);
        decoder.free();
      };
    case 'Ogg Opus':
    case 'WebM Opus':
      return bareOpus(opusPackets(bytes));
    default:
      return undefined;
  }
}

function bareOpus(packets: readonly Uint8Array[]): () => void {
  const library = loadOpus();
  return () => {
    const decoder = library.createDecoder(2);
    for (const packet of packets) decoder.decode(packet);
    decoder.free();
  };
}

/** The packets of a plain Ogg file, its two heads left out. */
function opusPackets(bytes: Uint8Array): Uint8Array[] {
  const pages = new OggPages();
  const packets: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (const { lacing, body } of [...pages.push(bytes), ...pages.end().pages]) {
    let at = 0;
    for (const length of lacing) {
      parts.push(body.subarray(at, at + length));
      at += length;
      if (length === 255) continue;
      packets.push(Buffer.concat(parts));
      parts = [];
    }
  }
  return packets.slice(2);
}

async function ffmpegAlone(bytes: Uint8Array): Promise<void> {
  const child = spawn('ffmpeg', ['-v', 'error', '-i', 'pipe:0', '-f', 's16le', 'pipe:1'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdout.resume();
  child.stdin.end(bytes);
  await once(child, 'close');
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    await Promise.resolve();
    yield bytes.subarray(at, at + CHUNK_BYTES);
  }
}

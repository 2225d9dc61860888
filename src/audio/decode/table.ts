import type { Decode } from '../pcm.js';
import { decodeWithFfmpeg } from './ffmpeg.js';
import { isForeign } from './foreign.js';
import { isFlac } from './flac-splitter.js';
import { startsWithId3, TAG_HEAD_BYTES, tagBytes } from './id3.js';
import { Lookahead } from './lookahead.js';
import { holdsMp3, isMp3 } from './mp3-splitter.js';
import { isOggOpus } from './opus-packet.js';
import { isWebm } from './webm-head.js';
import { decodeWav, isForeignWav, isWav } from './wav.js';

/** A row of the table of formats. */
export interface SoundFormat {
  /** Name in messages: `WAV`. */
  readonly name: string;
  /**
   * Returns true when a sound with this beginning has the row's format.
   * @param head the first bytes: 64 to 4,096 of them, fewer only when the sound is shorter
   * @returns 'more' when more bytes are needed; the rows below then wait. At the end of the sound, and at
   * 4,096 bytes, it counts as no
   */
  readonly matches: (head: Uint8Array) => boolean | 'more';
  readonly decode: Decode;
  /** False for a row that accepts sounds joined midway, without a beginning of their own. */
  readonly isSure?: boolean;
}

/** Bytes after a tag that identify the format. */
const BEHIND_BYTES = 512;

/**
 * Returns a decoder whose code is loaded at its first use.
 * @param load such as `async () => (await import('./mp3.js')).decodeMp3`
 */
export function lazy(load: () => Promise<Decode>): Decode {
  return async function* (chunks, label, context, path) {
    const decode = await load();
    yield* decode(chunks, label, context, path);
  };
}

const decodeFlac = lazy(async () => (await import('./flac.js')).decodeFlac);
const decodeOggOpus = lazy(async () => (await import('./ogg-opus.js')).decodeOggOpus);
const decodeWebmOpus = lazy(async () => (await import('./webm-opus.js')).decodeWebmOpus);
const decodeMp3 = lazy(async () => (await import('./mp3.js')).decodeMp3);
const decodeMp3Midway = lazy(async () => (await import('./mp3.js')).decodeMp3Midway);

/** Decodes a sound after ID3 tags, which it skips: they also come before formats that do not define them. */
export const decodeTagged: Decode = async function* (chunks, label, context) {
  const rest = new Lookahead(chunks);
  try {
    for (let bytes = -1; bytes !== 0;) {
      bytes = tagBytes(await rest.peek(TAG_HEAD_BYTES));
      await rest.skip(bytes);
    }
    const head = await rest.peek(BEHIND_BYTES);
    const decode = isFlac(head) ? decodeFlac : isForeign(head) ? decodeWithFfmpeg : decodeMp3;
    yield* decode(rest, label, context);
  } finally {
    await rest.close();
  }
};

/**
 * Formats recognised by their first bytes. The first matching row wins, so certain ones come first. To add a
 * decoder, add a file in this folder and a line here.
 */
export const FORMATS: readonly SoundFormat[] = [
  { name: 'WAV of another codec, through ffmpeg', matches: isForeignWav, decode: decodeWithFfmpeg },
  { name: 'WAV', matches: isWav, decode: decodeWav },
  { name: 'FLAC', matches: isFlac, decode: decodeFlac },
  { name: 'MP3 or FLAC behind an ID3 tag', matches: startsWithId3, decode: decodeTagged },
  { name: 'MP3', matches: isMp3, decode: decodeMp3 },
  { name: 'Opus in Ogg', matches: isOggOpus, decode: decodeOggOpus },
  { name: 'Opus in WebM', matches: isWebm, decode: decodeWebmOpus },
  { name: 'any other format, through ffmpeg', matches: isForeign, decode: decodeWithFfmpeg },
  { name: 'MP3, joined midway', matches: holdsMp3, decode: decodeMp3Midway, isSure: false },
];

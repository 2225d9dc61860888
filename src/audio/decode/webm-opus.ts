import prism from 'prism-media';
import { BridgeError } from '../../base/errors.js';
import { SAMPLE_RATE_HZ } from '../../base/units.js';
import type { Decode, PcmBlock, SoundContext } from '../pcm.js';
import { Demuxer } from './demuxer.js';
import { EBML, writeElement } from './ebml.js';
import { decodeWithFfmpeg } from './ffmpeg.js';
import { Lookahead } from './lookahead.js';
import { OPUS_SAMPLES_PER_SAMPLE, OpusPackets } from './opus.js';
import { OPUS_RATE_HZ } from './opus-packet.js';
import { WebmBlocks, type WebmBlock } from './webm-blocks.js';
import { parseWebmHead, TRACK_TYPE_AUDIO, type WebmTrack } from './webm-head.js';

/** Maximum bytes at a file's start that are kept to find its tracks; no sound is played before. */
const MAX_HEAD_BYTES = 2 ** 20;
const FIRST_HEAD_BYTES = 512;

/** Bytes decoded at once: a second at 32 kbit/s. */
const SLICE_BYTES = 4096;

/** Minimum gap in the timestamps; a smaller one is rounding or jitter of the writer. */
const GAP_MS = 100;
/** Length, in ms, by which a sound may be shorter than claimed before it counts as cut off. */
const SLACK_MS = 150;

/**
 * Decodes Opus in WebM or Matroska to 16 kHz. Consecutive files play through. Other content goes to ffmpeg:
 * other codecs, surround sound, encryption.
 * @throws BridgeError SOUND_EMPTY, SOUND_BROKEN, and the errors of the ffmpeg decoder
 */
export const decodeWebmOpus: Decode = async function* (chunks, label, context, path) {
  const input = new Lookahead(chunks);
  let told: SoundContext = context;
  const report = new WebmReport(label, context);
  let isFirst = true;
  try {
    do {
      const track = await findTrack(input);
      if (track === 'foreign') {
        yield* decodeWithFfmpeg(input, label, told, isFirst ? path : undefined);
        return;
      }
      const { head, durationMs } = track;
      told.info({
        format: 'WebM Opus',
        sampleRateHz: OPUS_RATE_HZ,
        channels: head.channels,
        ...(durationMs && { durationMs }),
      });
      told = { signal: context.signal, info: () => undefined, warn: (message) => context.warn(message) };
      isFirst = false;
      yield* decodeFile(input, track, report);
    } while ((await input.peek(1)).length > 0);
    report.end();
  } finally {
    await input.close();
  }
};

async function findTrack(input: Lookahead): Promise<WebmTrack | 'foreign'> {
  for (let bytes = FIRST_HEAD_BYTES; bytes <= MAX_HEAD_BYTES; bytes *= 2) {
    const head = await input.peek(bytes);
    const track = parseWebmHead(head);
    if (track !== 'more') return track;
    if (head.length < bytes) break;
  }
  return 'foreign';
}

/** Decodes one file, up to its end or to the start of the next one. */
async function* decodeFile(input: Lookahead, track: WebmTrack, report: WebmReport): AsyncGenerator<PcmBlock> {
  const blocks = new WebmBlocks(track.number);
  const sound = new WebmOpus(track);
  try {
    for (let chunk = await input.take(SLICE_BYTES); chunk; chunk = await input.take(SLICE_BYTES)) {
      const { blocks: found, rest } = blocks.push(chunk);
      const samples = sound.push(found);
      if (samples.length > 0) {
        report.delivered = true;
        yield { samples, sampleRateHz: SAMPLE_RATE_HZ, channels: track.head.channels };
      }
      if (!rest) continue;
      input.unread(rest);
      break;
    }
    report.add(blocks, sound, track);
  } finally {
    sound.close();
  }
}

/** Decodes the packets of one track. */
class WebmOpus {
  readonly #track: WebmTrack;
  readonly #packets: OpusPackets;
  readonly #demuxer = new Demuxer(new prism.opus.WebmDemuxer());
  #skip: number;
  /** Timestamp of the first block, and the length of the sound since then, before any trimming. */
  #startMs: number | undefined;
  #frames = 0;
  #missingMs = 0;

  constructor(track: WebmTrack) {
    this.#track = track;
    this.#skip = Math.round(track.head.preSkip / OPUS_SAMPLES_PER_SAMPLE);
    this.#packets = new OpusPackets(track.head);
    const entry = [
      writeElement(EBML.trackNumber, Uint8Array.of(track.number)),
      writeElement(EBML.trackType, Uint8Array.of(TRACK_TYPE_AUDIO)),
    ];
    this.#demuxer.push(writeElement(EBML.head));
    this.#demuxer.push(writeElement(EBML.tracks, writeElement(EBML.trackEntry, ...entry)));
  }

  get lostPackets(): number {
    return this.#packets.lostPackets;
  }

  /** Missing milliseconds, by the file's own timestamps. */
  get missingMs(): number {
    return this.#missingMs;
  }

  get lengthMs(): number {
    return (this.#frames / SAMPLE_RATE_HZ) * 1000;
  }

  /** @returns 16 kHz, interleaved */
  push(blocks: readonly WebmBlock[]): Int16Array {
    const parts: Int16Array[] = [];
    let length = 0;
    for (const block of blocks) {
      this.#follow(block);
      for (const packet of this.#demuxer.push(block.element)) {
        const part = this.#trim(this.#packets.decode(packet), block.discardNs);
        length += part.length;
        parts.push(part);
      }
    }
    const all = new Int16Array(length);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  /** Frees the decoder's memory. */
  close(): void {
    this.#packets.free();
    this.#demuxer.close();
  }

  #follow({ timestamp }: WebmBlock): void {
    const dueMs = (timestamp * this.#track.timestampScale) / 1e6;
    this.#startMs ??= dueMs;
    const gapMs = dueMs - this.#startMs - this.lengthMs;
    if (gapMs <= GAP_MS) return;
    this.#missingMs += gapMs;
    this.#startMs += gapMs;
  }

  #trim(samples: Int16Array, discardNs: number): Int16Array {
    const { channels } = this.#track.head;
    const frames = samples.length / channels;
    this.#frames += frames;
    const discard = Math.min(frames, Math.round((Math.abs(discardNs) * SAMPLE_RATE_HZ) / 1e9));
    const end = discardNs > 0 ? frames - discard : frames;
    const skipped = Math.min(this.#skip, frames);
    this.#skip -= skipped;
    const start = Math.max(skipped, discardNs < 0 ? discard : 0);
    return samples.subarray(Math.min(start, end) * channels, end * channels);
  }
}

/** Faults over all files of a stream. */
class WebmReport {
  readonly #label: string;
  readonly #context: SoundContext;
  #missingMs = 0;
  #damage = 0;
  #cutOffMs = 0;
  #isUnfinished = false;
  delivered = false;

  constructor(label: string, context: SoundContext) {
    this.#label = label;
    this.#context = context;
  }

  add(blocks: WebmBlocks, sound: WebmOpus, track: WebmTrack): void {
    this.#missingMs += sound.missingMs;
    this.#damage += blocks.strayBytes + blocks.lostBlocks + sound.lostPackets;
    this.#isUnfinished ||= blocks.isUnfinished;
    const cutOffMs = (track.durationMs ?? 0) - sound.missingMs - sound.lengthMs;
    if (cutOffMs > SLACK_MS) this.#cutOffMs += cutOffMs;
  }

  /** Reports the result. @throws BridgeError SOUND_EMPTY or SOUND_BROKEN when there was no sound */
  end(): void {
    const isBroken = this.#isUnfinished || this.#damage > 0 || this.#cutOffMs > 0;
    if (!this.delivered)
      throw isBroken
        ? new BridgeError(
            'SOUND_BROKEN',
            `${this.#label} is WebM Opus that breaks off before its sound begins.`,
          )
        : new BridgeError('SOUND_EMPTY', `${this.#label} is WebM Opus without any sound in it.`);
    const warn = (what: string): void => this.#context.warn(`${this.#label} ${what}.`);
    if (this.#missingMs > 0)
      warn(
        `has gaps: ${Math.round(this.#missingMs)} ms of it are missing by its own clock and were left out`,
      );
    else if (this.#damage > 0) warn('is damaged: parts of it made no sense and were left out');
    if (this.#cutOffMs > 0)
      warn(`is cut off: ${Math.round(this.#cutOffMs)} ms of the length that it claims are missing`);
    else if (this.#isUnfinished) warn('is cut off: it ends in the middle of an element');
  }
}

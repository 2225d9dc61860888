import { MPEGDecoder } from 'mpg123-decoder';
import { BridgeError } from '../../base/errors.js';
import type { Decode, EncodedChunk, PcmBlock, SoundContext } from '../pcm.js';
import { DamageGuard } from './damage.js';
import { Mp3Splitter, type Mp3Frames, type Mp3Segment } from './mp3-splitter.js';
import { slices } from './lookahead.js';
import { Trim } from './trim.js';
import { interleave, quietly } from './wasm.js';

/** Maximum part of a frame at the start of a stream joined midway: the longest frame with a margin. */
const LEAD_IN_BYTES = 2048;

/** Bytes decoded at once: a second at 32 kbit/s. */
const SLICE_BYTES = 4096;

/**
 * Decodes MP3 (and MPEG audio of layers I and II) with mpg123. Tags of any size, concatenated files and
 * encoder delays (LAME) are handled here; only whole frames reach the decoder.
 *
 * A missing end is reported where it can be detected: with an encoder's tag (Xing, Info, VBRI) that counts
 * the frames, and without one when the cut is within a frame. A stream without such a tag that ends between
 * two frames counts as complete: the format does not state its length. The transport may know it: a response
 * or an upload that is shorter than its Content-Length, or lacks its last chunks, fails with SOURCE_FAILED.
 * @throws BridgeError SOUND_BROKEN when it contains no frame
 */
export const decodeMp3: Decode = (chunks, label, context) => decode(chunks, label, context, 0);

/** Decodes MP3 that is joined midway, such as an internet radio: it may start with part of a frame. */
export const decodeMp3Midway: Decode = (chunks, label, context) =>
  decode(chunks, label, context, LEAD_IN_BYTES);

async function* decode(
  chunks: AsyncIterable<EncodedChunk>,
  label: string,
  context: SoundContext,
  leadInBytes: number,
): AsyncGenerator<PcmBlock> {
  const splitter = new Mp3Splitter(leadInBytes);
  const track = new Mp3Track(label, context);
  try {
    for await (const chunk of chunks) {
      for (const slice of slices(chunk, SLICE_BYTES))
        for (const run of splitter.push(slice)) yield* track.push(run);
    }
    const { frames, cutOff } = splitter.end();
    for (const run of frames) yield* track.push(run);
    yield* track.endSegment();
    track.end(splitter, cutOff);
  } finally {
    track.close();
  }
}

/** Decoder of one segment; each segment has its own, so that no state carries over. */
class Mp3Track {
  readonly #label: string;
  readonly #context: SoundContext;
  readonly #guard = new DamageGuard();
  #segment: Mp3Segment | undefined;
  #decoder: MPEGDecoder | undefined;
  #trim = new Trim(0, 0);
  #segmentFrames = 0;
  #delivered = false;
  #missingMs = 0;
  #failures = 0;
  #told = false;

  constructor(label: string, context: SoundContext) {
    this.#label = label;
    this.#context = context;
  }

  /** Decodes consecutive frames. */
  async *push(run: Mp3Frames): AsyncGenerator<PcmBlock> {
    const { header } = run.segment;
    if (run.segment !== this.#segment) {
      yield* this.endSegment();
      this.#begin(run.segment);
    }
    if (run.frames === 0) return;
    this.#segmentFrames += run.frames;
    if (!this.#decoder) {
      // The splitter has the delays from the tag and does not pass the tag on: trimming twice would be wrong.
      this.#decoder = new MPEGDecoder({ enableGapless: false });
      await this.#decoder.ready;
    }
    const decoder = this.#decoder;
    let planes: readonly Float32Array[];
    let samples: number;
    try {
      const decoded = quietly(() => decoder.decode(run.bytes));
      this.#failures += decoded.errors.length;
      [planes, samples] = [decoded.channelData, decoded.samplesDecoded];
    } catch {
      this.#failures += 1;
      this.close();
      return;
    }
    if (samples === 0) return;
    const block: PcmBlock = {
      // mpg123 turns one channel into two.
      samples: interleave(planes, header.channels, 0, samples),
      sampleRateHz: header.sampleRateHz,
      channels: header.channels,
    };
    this.#guard.check(block.samples, block.channels, block.sampleRateHz);
    yield* this.#deliver(this.#trim.push(block));
  }

  /**
   * Ends a segment. When frames are missing, the samples that the encoder added at the end are missing too.
   */
  *endSegment(): Generator<PcmBlock> {
    if (!this.#segment) return;
    const { header, tag } = this.#segment;
    const missing = (tag?.frames ?? 0) - this.#segmentFrames;
    if (missing <= 0) return;
    this.#missingMs += (missing * header.samples * 1000) / header.sampleRateHz;
    yield* this.#deliver(this.#trim.rest());
  }

  *#deliver(blocks: readonly PcmBlock[]): Generator<PcmBlock> {
    if (blocks.length > 0) this.#delivered = true;
    yield* blocks;
  }

  /** Reports the result. @throws BridgeError SOUND_BROKEN when there was no sound */
  end(splitter: Mp3Splitter, cutOff: boolean): void {
    if (!this.#delivered) {
      const why =
        splitter.missingTagBytes > 0
          ? `it ends within a tag that claims ${splitter.missingTagBytes} bytes more`
          : 'there is not one frame of sound in it';
      throw new BridgeError('SOUND_BROKEN', `${this.#label} looks like MP3, but ${why}.`);
    }
    const warn = (what: string): void => this.#context.warn(`${this.#label} ${what}.`);
    if (this.#missingMs > 0)
      warn(`is cut off: ${Math.round(this.#missingMs)} ms of the length that it claims are missing`);
    else if (splitter.missingTagBytes > 0)
      warn(
        `ends within a tag that claims ${splitter.missingTagBytes} bytes more; there may have been sound behind it`,
      );
    else if (cutOff) warn('is cut off: it ends in the middle of a frame');
    if (splitter.strayBytes > 0)
      warn(`is damaged: ${splitter.strayBytes} bytes in it are not MP3 and were left out`);
    else if (this.#failures > 0) warn(`is damaged: ${this.#failures} of its frames could not be decoded`);
    this.#guard.report(this.#label, this.#context);
  }

  /** Frees the decoder's memory. */
  close(): void {
    this.#decoder?.free();
    this.#decoder = undefined;
  }

  #begin(segment: Mp3Segment): void {
    this.close();
    this.#segment = segment;
    this.#segmentFrames = 0;
    const { header, tag } = segment;
    this.#trim = new Trim(tag?.dropStart ?? 0, tag?.dropEnd ?? 0);
    if (this.#told) return;
    this.#told = true;
    const { sampleRateHz, channels, layer } = header;
    const total = (tag?.frames ?? 0) * header.samples - (tag?.dropStart ?? 0) - (tag?.dropEnd ?? 0);
    this.#context.info({
      format: `MP${layer}`,
      sampleRateHz,
      channels,
      ...(total > 0 && { durationMs: (total / sampleRateHz) * 1000 }),
    });
  }
}

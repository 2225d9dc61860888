import { FLACDecoder } from '@wasm-audio-decoders/flac';
import { BridgeError } from '../../base/errors.js';
import { USUAL_MASKS } from '../downmix.js';
import type { Decode, PcmBlock, SoundContext } from '../pcm.js';
import { EffortError, FlacSplitter, type FlacPiece } from './flac-splitter.js';
import { slices } from './lookahead.js';
import { interleave, quietly } from './wasm.js';

type StreamPiece = Extract<FlacPiece, { kind: 'stream' }>;
type FramePiece = Extract<FlacPiece, { kind: 'frame' }>;

/** Bytes decoded at once: about a second of voice, a tenth of a second of studio sound. */
const SLICE_BYTES = 16_384;

/**
 * Decodes FLAC with libFLAC. Only whole frames with a valid checksum reach the decoder; metadata of any size
 * and consecutive files are handled here.
 * @throws BridgeError SOUND_EMPTY, SOUND_BROKEN
 */
export const decodeFlac: Decode = async function* (chunks, label, context) {
  const splitter = new FlacSplitter();
  const track = new FlacTrack(label, context);
  try {
    for await (const chunk of chunks)
      for (const slice of slices(chunk, SLICE_BYTES)) yield* track.push(splitter.push(slice));
    const { pieces, cutOff } = splitter.end();
    yield* track.push(pieces);
    track.end(splitter, cutOff);
  } catch (error) {
    if (!(error instanceof EffortError)) throw error;
    throw new BridgeError('SOUND_BROKEN', `${label} is FLAC that is damaged beyond repair.`, {
      cause: error,
    });
  } finally {
    track.close();
  }
};

/** Decoder of one stream. */
class FlacTrack {
  readonly #label: string;
  readonly #context: SoundContext;
  #decoder: FLACDecoder | undefined;
  #stream: StreamPiece | undefined;
  #streamSamples = 0;
  #missingMs = 0;
  #undecoded = 0;
  #delivered = false;
  #told = false;

  constructor(label: string, context: SoundContext) {
    this.#label = label;
    this.#context = context;
  }

  async *push(pieces: readonly FlacPiece[]): AsyncGenerator<PcmBlock> {
    let frames: FramePiece[] = [];
    for (const piece of pieces) {
      const before = frames[0]?.header;
      const changes =
        piece.kind === 'stream' ||
        (before &&
          (before.channels !== piece.header.channels || before.sampleRateHz !== piece.header.sampleRateHz));
      if (changes) {
        yield* this.#decode(frames);
        frames = [];
      }
      if (piece.kind === 'stream') this.#begin(piece);
      else frames.push(piece);
    }
    yield* this.#decode(frames);
  }

  /** Reports the result. @throws BridgeError SOUND_EMPTY or SOUND_BROKEN when there was no sound */
  end(splitter: FlacSplitter, cutOff: boolean): void {
    this.#endStream();
    const lost = splitter.lostFrames + this.#undecoded;
    if (!this.#delivered) {
      if (!this.#stream || cutOff || lost > 0 || splitter.strayBytes > 0 || this.#missingMs > 0)
        throw new BridgeError('SOUND_BROKEN', `${this.#label} is FLAC without one whole frame in it.`);
      throw new BridgeError('SOUND_EMPTY', `${this.#label} is FLAC without any sound in it.`);
    }
    const warn = (what: string): void => this.#context.warn(`${this.#label} ${what}.`);
    const missing = `${Math.round(this.#missingMs)} ms of the length that it claims are missing`;
    if (lost > 0 || splitter.strayBytes > 0)
      warn(
        `is damaged: ${this.#missingMs > 0 ? missing : `${lost} frames and ${splitter.strayBytes} bytes were left out`}`,
      );
    else if (this.#missingMs > 0 || cutOff)
      warn(`is cut off: ${this.#missingMs > 0 ? missing : 'it ends in the middle of a frame'}`);
  }

  /** Frees the decoder's memory. */
  close(): void {
    this.#decoder?.free();
    this.#decoder = undefined;
  }

  #begin(stream: StreamPiece): void {
    this.#endStream();
    this.close();
    this.#stream = stream;
    this.#streamSamples = 0;
    if (this.#told) return;
    this.#told = true;
    const { sampleRateHz, channels, bits, totalSamples } = stream.info;
    this.#context.info({
      format: `FLAC, ${bits}-bit`,
      sampleRateHz,
      channels,
      ...(totalSamples > 0 && sampleRateHz > 0 && { durationMs: (totalSamples / sampleRateHz) * 1000 }),
    });
  }

  #endStream(): void {
    const info = this.#stream?.info;
    const missing = (info?.totalSamples ?? 0) - this.#streamSamples;
    if (info && info.sampleRateHz > 0 && missing > 0) this.#missingMs += (missing / info.sampleRateHz) * 1000;
  }

  /** Decodes frames of one format. */
  async *#decode(frames: readonly FramePiece[]): AsyncGenerator<PcmBlock> {
    if (frames.length === 0) return;
    const { channels, sampleRateHz } = frames[0]!.header;
    const wanted = frames.reduce((sum, { header }) => sum + header.samples, 0);
    const decoder = await this.#open();
    try {
      const bytes = frames.map((frame) => frame.bytes);
      const { channelData, samplesDecoded, errors } = await quietly(() => decoder.decodeFrames(bytes));
      if (errors.length > 0 || samplesDecoded !== wanted || channelData.length !== channels) {
        this.#undecoded += Math.max(1, errors.length);
        this.close();
      }
      if (samplesDecoded === 0 || channelData.length !== channels) return;
      this.#streamSamples += samplesDecoded;
      this.#delivered = true;
      const samples = interleave(channelData, channels, 0, samplesDecoded);
      const channelMask = frames[0]!.channelMask ?? USUAL_MASKS[channels];
      yield { samples: exact(samples, frames[0]!.header.bits), sampleRateHz, channels, channelMask };
    } catch {
      this.#undecoded += frames.length;
      this.close();
    }
  }

  async #open(): Promise<FLACDecoder> {
    if (this.#decoder) return this.#decoder;
    this.#decoder = new FLACDecoder();
    const decoder = this.#decoder;
    await decoder.ready;
    // Frames may leave their rate and sample size to it.
    const head = this.#stream!.head;
    await quietly(() => decoder.decodeFrames([head]));
    return decoder;
  }
}

/**
 * Restores exact samples: the decoder divides by the largest sample instead of full scale, which is not
 * lossless.
 */
function exact(samples: Float32Array, bits: number): Float32Array | Int16Array {
  const largest = 2 ** (bits - 1) - 1;
  if (bits === 16) {
    const integers = new Int16Array(samples.length);
    for (let i = 0; i < samples.length; i++) integers[i] = Math.round(samples[i]! * largest);
    return integers;
  }
  for (let i = 0; i < samples.length; i++) samples[i]! *= largest / (largest + 1);
  return samples;
}

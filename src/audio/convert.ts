import { BridgeError } from '../base/errors.js';
import { SAMPLE_RATE_HZ, samplesToMs } from '../base/units.js';
import { downmix, downmixWeights, PeakLimiter } from './downmix.js';
import { MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, type PcmBlock } from './pcm.js';
import { MAX_MAGNITUDE, quantise } from './quantise.js';
import { loadSpeex, Resampler, type Speex } from './resample.js';

/** Maximum number of floats quantised at once when nothing needs resampling. */
const SLICE = 4096;

const EMPTY = new Int16Array(0);

/**
 * Converts blocks of any format to the avatar's, 16 kHz mono 16-bit (protocol.md §4). Sound in that format
 * passes unchanged. In total, `round(duration × 16,000)` samples come out, however the sound is cut into
 * blocks. The format may change between blocks.
 */
export class Converter {
  readonly #speex: Speex;
  readonly #label: string;
  #resampler: Resampler | undefined;
  #weights: Float64Array | undefined;
  #channelMask: number | undefined;
  readonly #limiter = new PeakLimiter();
  /** Length of the sound up to the last change of rate, in samples at 16 kHz, with its fraction. */
  #dueBefore = 0;
  /** Frames since the last change of rate, and that rate. */
  #frames = 0;
  #rateHz = SAMPLE_RATE_HZ;
  #put = 0;
  #closed = false;

  /** Use `createConverter`. */
  constructor(speex: Speex, label: string) {
    this.#speex = speex;
    this.#label = label;
  }

  /** Sound that has gone in and not come out yet, in ms: at most 4, the look-ahead of the filter. */
  get pendingMs(): number {
    return samplesToMs(
      Math.max(0, this.#dueBefore + (this.#frames * SAMPLE_RATE_HZ) / this.#rateHz - this.#put),
    );
  }

  /**
   * Converts a block. Some of its sound may come out at the next call, because the filter looks 4 ms ahead.
   * @returns samples at 16 kHz, mono; the block's own array when it needs no change
   * @throws BridgeError SOUND_BROKEN when a value is not a number or far beyond full scale; CLOSED
   */
  push(block: PcmBlock): Int16Array {
    const { samples, sampleRateHz, channels } = block;
    this.#check(block);
    const frames = samples.length / channels;
    if (frames === 0) return EMPTY;
    const tail = sampleRateHz === this.#rateHz ? EMPTY : this.#changeRate(sampleRateHz);
    this.#frames += frames;

    if (sampleRateHz === SAMPLE_RATE_HZ && channels === 1 && samples instanceof Int16Array) {
      this.#put += frames;
      return tail.length === 0 ? samples : join(tail, samples);
    }
    const room = Math.ceil((frames * SAMPLE_RATE_HZ) / sampleRateHz) + 2;
    const out = new Int16Array(tail.length + room);
    out.set(tail);
    const end = this.#convert(block, frames, out, tail.length);
    this.#put += end - tail.length;
    return end === out.length ? out : out.subarray(0, end);
  }

  /**
   * Ends the sound and returns the samples in the filter. The converter can then be used again.
   * @throws BridgeError SOUND_BROKEN, as `push`
   */
  flush(): Int16Array {
    if (this.#closed) throw new BridgeError('CLOSED', `The converter of ${this.#label} is closed.`);
    const tail = this.#changeRate(SAMPLE_RATE_HZ);
    this.#dueBefore = 0;
    this.#put = 0;
    return tail;
  }

  /** Frees memory outside the JavaScript heap; safe to call again. */
  close(): void {
    this.#closed = true;
    this.#resampler?.free();
    this.#resampler = undefined;
  }

  #convert(block: PcmBlock, frames: number, out: Int16Array, start: number): number {
    const { samples, channels, channelMask, sampleRateHz } = block;
    if (this.#weights?.length !== channels || this.#channelMask !== channelMask) {
      this.#weights = downmixWeights(channels, channelMask);
      this.#channelMask = channelMask;
    }
    const weights = this.#weights;
    let at = start;
    const emit = (floats: Float32Array, count: number): void => {
      this.#quantise(floats, count, out, at);
      at += count;
    };
    const fill = (from: number, length: number, target: Float32Array): void => {
      downmix(samples, channels, weights, from, length, target);
      if (channels > 2) this.#limiter.limit(target, length, MAX_MAGNITUDE);
    };

    if (sampleRateHz !== SAMPLE_RATE_HZ) {
      this.#resampler ??= new Resampler(this.#speex, sampleRateHz);
      this.#resampler.process(frames, fill, emit);
    } else if (channels === 1 && samples instanceof Float32Array) {
      emit(samples, frames);
    } else {
      const mono = new Float32Array(Math.min(frames, SLICE));
      for (let from = 0; from < frames; from += SLICE) {
        const length = Math.min(SLICE, frames - from);
        fill(from, length, mono);
        emit(mono, length);
      }
    }
    return at;
  }

  /** Ends the stream at the old rate, at the exact sample. */
  #changeRate(rateHz: number): Int16Array {
    this.#dueBefore += (this.#frames * SAMPLE_RATE_HZ) / this.#rateHz;
    this.#frames = 0;
    this.#rateHz = rateHz;
    const resampler = this.#resampler;
    if (!resampler) return EMPTY;
    // Counted over the whole sound, so that roundings of many rate changes do not add up.
    const missing = Math.max(0, Math.round(this.#dueBefore) - this.#put);
    const tail = new Int16Array(missing);
    let at = 0;
    resampler.drain((floats, count) => {
      const wanted = Math.min(count, missing - at);
      this.#quantise(floats, wanted, tail, at);
      at += wanted;
    });
    resampler.free();
    this.#resampler = undefined;
    this.#put += missing;
    return tail;
  }

  #quantise(floats: Float32Array, count: number, out: Int16Array, at: number): void {
    if (!quantise(floats, count, out, at))
      throw new BridgeError(
        'SOUND_BROKEN',
        `The samples of ${this.#label} are damaged: some are not a number, or far beyond full scale.`,
      );
  }

  #check({ samples, sampleRateHz, channels }: PcmBlock): void {
    if (this.#closed) throw new BridgeError('CLOSED', `The converter of ${this.#label} is closed.`);
    const rateFits =
      Number.isInteger(sampleRateHz) && sampleRateHz >= MIN_RATE_HZ && sampleRateHz <= MAX_RATE_HZ;
    const channelsFit = Number.isInteger(channels) && channels >= 1 && channels <= MAX_CHANNELS;
    if (!rateFits || !channelsFit || samples.length % channels !== 0)
      throw new BridgeError(
        'SOUND_BROKEN',
        `${this.#label} claims ${channels} channels at ${sampleRateHz} Hz in a block of ${samples.length} samples, which cannot be.`,
      );
  }
}

function join(a: Int16Array, b: Int16Array): Int16Array {
  const both = new Int16Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/**
 * Creates a converter to 16 kHz mono. It must be closed: part of its memory is not garbage-collected.
 * @param label name of the sound in messages
 * @throws BridgeError INTERNAL when the resampler cannot be loaded
 */
export async function createConverter(label = 'the sound'): Promise<Converter> {
  return new Converter(await loadSpeex(), label);
}

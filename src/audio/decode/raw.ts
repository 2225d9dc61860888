import { BridgeError } from '../../base/errors.js';
import type { Decode, EncodedChunk } from '../pcm.js';
import { Lookahead } from './lookahead.js';
import { SampleReader, type Encoding } from '../samples.js';

/** Format of data without a header. */
export interface RawFormat {
  readonly encoding: RawEncoding;
  /** Sample rate, 4,000 to 384,000. */
  readonly sampleRateHz: number;
  /** Interleaved channels, 1 to 8. */
  readonly channels: number;
  /**
   * `detect` for 16-bit samples whose byte order varies between senders: it is read from the sound itself.
   */
  readonly byteOrder?: 'detect' | undefined;
}

/** Encodings of headerless data. */
export const RAW_ENCODINGS = [
  's16le',
  's16be',
  'u8',
  's24le',
  's32le',
  'f32le',
  'mulaw',
  'alaw',
] as const satisfies readonly Encoding[];

/** One of RAW_ENCODINGS. */
export type RawEncoding = (typeof RAW_ENCODINGS)[number];

/** The lowest rate of headerless data. */
export const MIN_RAW_RATE_HZ = 4_000;
/** The highest rate of headerless data. */
export const MAX_RAW_RATE_HZ = 384_000;
/** The most channels of headerless data. */
export const MAX_RAW_CHANNELS = 8;

/** Bytes of sound needed to detect the byte order. */
const ORDER_BYTES = 1024;
/** Bytes needed to distinguish noise from sound. */
export const NOISE_BYTES = 512;
/**
 * Minimum mean step of noise: random bytes have a mean step of 21,845 between neighbouring samples, loud
 * speech less than a third of it.
 */
const MIN_NOISE_STEP = 14_000;
/** Maximum leading silence that is searched for the byte order, in bytes. */
const MAX_SILENCE_BYTES = 64 * 1024;

/**
 * Parses `encoding:rate:channels`, such as `s16le:24000:1`; without channels it is mono.
 * @throws BridgeError OPTION_INVALID that names the wrong part and its valid values
 */
export function parseRawFormat(text: string): RawFormat {
  const invalid = (what: string): BridgeError =>
    new BridgeError('OPTION_INVALID', `The raw format '${text}' cannot be used: ${what}.`, {
      advice: "Write it as encoding:rate:channels, such as 's16le:24000:1'.",
    });
  const [name = '', rate = '', channelCount = '1', ...rest] = text.trim().split(':');
  const encoding = RAW_ENCODINGS.find((known) => known === name.toLowerCase());
  if (!encoding) throw invalid(`the encoding must be one of ${RAW_ENCODINGS.join(', ')}`);
  const sampleRateHz = wholeNumber(rate);
  if (!(sampleRateHz >= MIN_RAW_RATE_HZ && sampleRateHz <= MAX_RAW_RATE_HZ))
    throw invalid(`the rate must be ${MIN_RAW_RATE_HZ} to ${MAX_RAW_RATE_HZ}, in Hz`);
  const channels = wholeNumber(channelCount);
  if (!(channels >= 1 && channels <= MAX_RAW_CHANNELS))
    throw invalid(`the channels must be 1 to ${MAX_RAW_CHANNELS}`);
  if (rest.length > 0) throw invalid('it has more than three parts');
  return { encoding, sampleRateHz, channels };
}

function wholeNumber(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : NaN;
}

/** Returns a decoder of headerless data in this format. */
export function rawDecoder(format: RawFormat): Decode {
  return async function* (chunks, label, context) {
    const { sampleRateHz, channels } = format;
    const { encoding, bytes } =
      format.byteOrder === 'detect'
        ? await detectOrder(chunks)
        : { encoding: format.encoding, bytes: chunks };
    const reader = new SampleReader(encoding, sampleRateHz, channels);
    context.info({ format: `raw ${encoding}`, sampleRateHz, channels });
    let spoken = false;
    for await (const chunk of bytes) {
      const block = reader.push(chunk);
      if (!block) continue;
      spoken = true;
      yield block;
    }
    if (!spoken) throw new BridgeError('SOUND_EMPTY', `${label} holds not one sample.`);
    if (reader.heldBytes > 0)
      context.warn(
        `${label} ends in the middle of a sample. Is it really ${encoding} with ${channels} channels?`,
      );
  };
}

/** Holds back the first bytes that are not silence and detects the order of 16-bit samples from them. */
async function detectOrder(
  chunks: AsyncIterable<EncodedChunk>,
): Promise<{ encoding: RawEncoding; bytes: AsyncIterable<EncodedChunk> }> {
  const input = new Lookahead(chunks);
  let head = await input.peek(ORDER_BYTES);
  // Silence is the same in either order.
  for (let bytes = ORDER_BYTES; head.length === bytes && bytes < MAX_SILENCE_BYTES; bytes *= 2) {
    if (head.some((byte) => byte !== 0)) break;
    head = await input.peek(bytes * 2);
  }
  const littleStep = meanStep(head, true);
  return { encoding: meanStep(head, false) < littleStep ? 's16be' : 's16le', bytes: input };
}

/**
 * Returns true when 16-bit samples would be noise at full level in either byte order: the data is compressed
 * or not sound.
 * @param head first bytes, preferably NOISE_BYTES
 */
export function isNoise(head: Uint8Array): boolean {
  const steps = Math.max(1, Math.floor(head.length / 2) - 1);
  return Math.min(meanStep(head, true), meanStep(head, false)) / steps > MIN_NOISE_STEP;
}

/** Returns the mean step between neighbouring samples; in the wrong order it is that of noise. */
function meanStep(bytes: Uint8Array, littleEndian: boolean): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let sum = 0;
  for (let at = 2; at + 1 < bytes.length; at += 2)
    sum += Math.abs(view.getInt16(at, littleEndian) - view.getInt16(at - 2, littleEndian));
  return sum;
}

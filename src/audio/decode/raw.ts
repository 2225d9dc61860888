import { BridgeError } from '../../base/errors.js';
import type { Decode } from '../pcm.js';
import { SampleReader, type Encoding } from './samples.js';

/** What must be said of data that has no head to say it. */
export interface RawFormat {
  readonly encoding: RawEncoding;
  /** 4,000 to 384,000. */
  readonly sampleRateHz: number;
  /** 1 to 8, interleaved. */
  readonly channels: number;
}

/** The encodings that can be named for headerless data. */
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

const MIN_RAW_RATE_HZ = 4_000;
const MAX_RAW_RATE_HZ = 384_000;
const MAX_RAW_CHANNELS = 8;

/**
 * Reads `encoding:rate:channels`, such as `s16le:24000:1`; the channels may be left out for one.
 * @throws BridgeError OPTION_INVALID that says which part is wrong and what it can be
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

/** A decoder of headerless data of this format. */
export function rawDecoder(format: RawFormat): Decode {
  return async function* (chunks, label, context) {
    const { encoding, sampleRateHz, channels } = format;
    const reader = new SampleReader(encoding, sampleRateHz, channels);
    context.info({ format: `raw ${encoding}`, sampleRateHz, channels });
    let spoken = false;
    for await (const chunk of chunks) {
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

import { MAX_RAW_CHANNELS, MAX_RAW_RATE_HZ, MIN_RAW_RATE_HZ, type RawFormat } from './decode/raw.js';

/** Description of bytes by their sender, as in the head of an HTTP message. */
export interface SoundLabel {
  /** Content type with parameters: `audio/L16;rate=16000`. */
  readonly contentType?: string | undefined;
  /** Sample rate stated separately, in Hz, such as in `x-sample-rate`. */
  readonly sampleRateHz?: number | undefined;
}

/** Types of headerless samples, with the format that each implies. */
const RAW_TYPES: Readonly<Record<string, Partial<RawFormat>>> = {
  'audio/basic': { encoding: 'mulaw', sampleRateHz: 8000, channels: 1 },
  'audio/pcmu': { encoding: 'mulaw', sampleRateHz: 8000, channels: 1 },
  'audio/x-mulaw': { encoding: 'mulaw', sampleRateHz: 8000 },
  'audio/mulaw': { encoding: 'mulaw', sampleRateHz: 8000 },
  'audio/pcma': { encoding: 'alaw', sampleRateHz: 8000, channels: 1 },
  'audio/x-alaw': { encoding: 'alaw', sampleRateHz: 8000 },
  'audio/alaw': { encoding: 'alaw', sampleRateHz: 8000 },
  'audio/l8': { encoding: 'u8' },
  // RFC 2586 specifies network byte order, but many servers do not use it.
  'audio/l16': { encoding: 's16le', byteOrder: 'detect' },
  'audio/pcm': {},
  'audio/x-pcm': {},
  'audio/raw': {},
  'audio/x-raw': {},
};

/** @returns the type without its parameters, in lower case; empty when there is none */
export function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]!.trim().toLowerCase();
}

/** Returns true for the content type of a text: an error page, JSON, a form. */
export function isTextType(contentType: string | undefined): boolean {
  return /^(?:text\/|application\/(?:.*\+)?(?:json|xml|javascript)$|application\/(?:x-)?ndjson$|multipart\/)/.test(
    mediaType(contentType),
  );
}

/**
 * Returns true for a content type whose format has a header, such as `audio/mpeg`: its bytes are not samples.
 */
export function isHeadedType(contentType: string | undefined): boolean {
  const type = mediaType(contentType);
  return /^(?:audio|video)\//.test(type) && !(type in RAW_TYPES) && type !== 'audio/*';
}

/**
 * Reads the format of headerless samples from their label.
 * @param label label; `audio/L16;rate=16000;channels=1`, `audio/pcm;rate=…`, `audio/basic` and a stated rate
 * are read
 * @param usual usual format of the sender; fills in what the label leaves open
 * @returns undefined when neither gives a format
 */
export function labelledRaw(label: SoundLabel, usual?: RawFormat): RawFormat | undefined {
  const ofType = RAW_TYPES[mediaType(label.contentType)];
  const parameters = new Map(
    (label.contentType ?? '')
      .split(';')
      .slice(1)
      .map((part) => part.split('=').map((word) => word.trim().replace(/^"|"$/g, '').toLowerCase()))
      .map(([name = '', value = '']) => [name, value]),
  );
  const stated = (min: number, max: number, ...values: (string | number | undefined)[]): number | undefined =>
    values.map(Number).find((value) => Number.isInteger(value) && value >= min && value <= max);
  const sampleRateHz =
    stated(
      MIN_RAW_RATE_HZ,
      MAX_RAW_RATE_HZ,
      ...['rate', 'samplerate', 'sample-rate', 'sample_rate'].map((name) => parameters.get(name)),
      label.sampleRateHz,
    ) ??
    ofType?.sampleRateHz ??
    usual?.sampleRateHz;
  const channels =
    stated(1, MAX_RAW_CHANNELS, parameters.get('channels')) ?? ofType?.channels ?? usual?.channels ?? 1;
  const encoding = ofType?.encoding ?? usual?.encoding ?? (ofType ? 's16le' : undefined);
  if (encoding === undefined || sampleRateHz === undefined) return undefined;
  return { encoding, sampleRateHz, channels, byteOrder: ofType?.byteOrder ?? usual?.byteOrder };
}

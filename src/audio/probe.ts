import { BridgeError } from '../base/errors.js';
import { rawDecoder, type RawFormat } from './decode/raw.js';
import { slices } from './decode/slices.js';
import { FORMATS, type SoundFormat } from './decode/table.js';
import type { EncodedChunk, PcmBlock, SoundContext } from './pcm.js';

/** Bytes that every format gets to see, unless the sound is shorter. */
const MIN_HEAD_BYTES = 64;
/** Bytes that are held back at the most while a format asks for more. */
const MAX_HEAD_BYTES = 4096;
/** Decoders get no more at once, so that their blocks stay bounded whatever the source hands over. */
const MAX_CHUNK_BYTES = 65_536;

/** How a sound is to be read. */
export interface DecodeOptions {
  /** The data has no head: take it as this, without looking. */
  readonly raw?: RawFormat;
  /** The formats to tell apart; the whole table by default. */
  readonly formats?: readonly SoundFormat[];
}

/**
 * Decodes encoded bytes of any format of the table, which is recognised by the first bytes and never by a name.
 * @param chunks the bytes in any chunking; ended early when the blocks are
 * @param label how messages name the sound
 * @throws BridgeError SOUND_EMPTY, SOUND_UNKNOWN with what it starts with, what the decoder throws, or what `chunks` throws
 */
export async function* decodeSound(
  chunks: AsyncIterable<EncodedChunk>,
  label: string,
  context: SoundContext,
  options: DecodeOptions = {},
): AsyncGenerator<PcmBlock, void, undefined> {
  const source = chunks[Symbol.asyncIterator]();
  try {
    const head: EncodedChunk[] = [];
    const decode = options.raw
      ? rawDecoder(options.raw)
      : (await recognise(source, head, label, options.formats ?? FORMATS)).decode;
    yield* decode(replay(head, source), label, context);
  } finally {
    await source.return?.();
  }
}

/** Takes chunks off the source into `head` until a row claims the sound. */
async function recognise(
  source: AsyncIterator<EncodedChunk>,
  head: EncodedChunk[],
  label: string,
  formats: readonly SoundFormat[],
): Promise<SoundFormat> {
  const bytes = new Uint8Array(MAX_HEAD_BYTES);
  let count = 0;
  for (let ended = false; ;) {
    const next = await source.next();
    if (next.done) ended = true;
    else {
      head.push(next.value);
      const part = next.value.subarray(0, MAX_HEAD_BYTES - count);
      bytes.set(part, count);
      count += part.length;
    }
    const last = ended || count === MAX_HEAD_BYTES;
    if (!last && count < MIN_HEAD_BYTES) continue;
    if (count === 0) throw new BridgeError('SOUND_EMPTY', `${label} is empty: not one byte came.`);
    const seen = bytes.subarray(0, count);
    const choice = choose(formats, seen, last);
    if (choice === 'more') continue;
    if (choice) return choice;
    throw new BridgeError(
      'SOUND_UNKNOWN',
      `${label} is of no format that is known: it starts with ${shown(seen)}.`,
    );
  }
}

function choose(
  formats: readonly SoundFormat[],
  head: Uint8Array,
  last: boolean,
): SoundFormat | 'more' | undefined {
  for (const format of formats) {
    const answer = format.matches(head);
    if (answer === true) return format;
    if (answer === 'more' && !last) return 'more';
  }
  return undefined;
}

/** The chunks that were looked at, then the rest, all of them bounded. */
async function* replay(
  head: EncodedChunk[],
  source: AsyncIterator<EncodedChunk>,
): AsyncGenerator<EncodedChunk, void, undefined> {
  for (let chunk = head.shift(); chunk; chunk = head.shift()) yield* slices(chunk, MAX_CHUNK_BYTES);
  for (let next = await source.next(); !next.done; next = await source.next())
    yield* slices(next.value, MAX_CHUNK_BYTES);
}

/** The first line when it looks like text, such as a server's error page; otherwise the first bytes. */
function shown(head: Uint8Array): string {
  const text = Buffer.from(head)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  // The last character may be cut.
  const isText = /^[^\0-\x08\x0e-\x1f\x7f\ufffd]+\ufffd?$/.test(text);
  if (!isText) return `the bytes ${Buffer.from(head.subarray(0, 16)).toString('hex')}`;
  const line = text.trim().split(/[\r\n]/)[0]!;
  return `the text '${line.length > 100 ? `${line.slice(0, 100)}…` : line}'`;
}

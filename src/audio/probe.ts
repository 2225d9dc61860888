import { BridgeError } from '../base/errors.js';
import { isNoise, NOISE_BYTES, rawDecoder, type RawFormat } from './decode/raw.js';
import { isHeadedType, labelledRaw, type SoundLabel } from './content-type.js';
import { foreignFormat } from './decode/foreign.js';
import { Lookahead } from './decode/lookahead.js';
import { FORMATS, type SoundFormat } from './decode/table.js';
import type { Decode, EncodedChunk, PcmBlock, SoundContext } from './pcm.js';
import { isMarkup, isText, MAX_TEXT_BYTES, wordsOf } from './text.js';

/** Bytes that every format can examine, unless the sound is shorter. */
const MIN_HEAD_BYTES = 64;
/** Maximum bytes held back while a format asks for more. */
const MAX_HEAD_BYTES = 4096;
/** Maximum chunk for a decoder, so that its blocks stay bounded for any source. */
const MAX_CHUNK_BYTES = 65_536;

/** Options of decoding. */
export interface DecodeOptions extends SoundLabel {
  /**
   * Format of data without a header. The first bytes still decide: data with a header is decoded as its own
   * format, with a warning, because as samples it would be noise at full level.
   */
  readonly raw?: RawFormat | undefined;
  /** True when `raw` is only the sender's usual format, so that another format gives no warning. */
  readonly rawIsGuess?: boolean | undefined;
  /** Absolute path of the file whose bytes these are; ffmpeg reads the file from there. */
  readonly path?: string | undefined;
  /** Formats to recognise; default: the whole table. */
  readonly formats?: readonly SoundFormat[] | undefined;
}

/**
 * Decodes encoded bytes of any format of the table. The format is recognised by the first bytes, never by a
 * name. Data without a header is read by `raw` or its label (`contentType`, `sampleRateHz`).
 * @param chunks the bytes in any chunking; ended early with the blocks
 * @param label name of the sound in messages
 * @throws BridgeError SOUND_EMPTY, SOUND_UNKNOWN with the beginning of the data, the decoder's error, or the
 * error of `chunks`
 */
export async function* decodeSound(
  chunks: AsyncIterable<EncodedChunk>,
  label: string,
  context: SoundContext,
  options: DecodeOptions = {},
): AsyncGenerator<PcmBlock, void, undefined> {
  const input = new Lookahead(chunks);
  try {
    const { decode, warning } = await recognise(input, label, options);
    if (warning !== undefined) context.warn(warning);
    yield* decode(bounded(input), label, context, options.path);
  } finally {
    await input.close();
  }
}

/**
 * Checks that the input is sound, without consuming it.
 * @throws BridgeError SOUND_EMPTY, SOUND_UNKNOWN, as `decodeSound` would later, or the source's error
 */
export async function checkSound(
  input: Lookahead,
  label: string,
  options: DecodeOptions = {},
): Promise<void> {
  await recognise(input, label, options);
}

/** Examines the first bytes until they identify the decoder. Consumes nothing. */
async function recognise(
  input: Lookahead,
  label: string,
  options: DecodeOptions,
): Promise<{ decode: Decode; warning?: string | undefined }> {
  const raw = labelledRaw(options, options.raw);
  // A stream joined midway is recognised by frames at any position, which headerless samples may contain by
  // chance.
  const all = options.formats ?? FORMATS;
  const formats = raw && !isHeadedType(options.contentType) ? all.filter(({ isSure = true }) => isSure) : all;
  const isDeclared = options.raw !== undefined && options.rawIsGuess !== true;
  for (let wanted = MIN_HEAD_BYTES; ;) {
    await input.peek(wanted);
    const head = await input.peek(Math.min(MAX_HEAD_BYTES, Math.max(wanted, input.heldBytes)));
    const last = head.length < wanted || head.length === MAX_HEAD_BYTES;
    if (head.length === 0) throw new BridgeError('SOUND_EMPTY', `${label} is empty: not one byte came.`);
    const choice = choose(formats, head, last);
    if (choice === 'more') {
      wanted = head.length + 1;
      continue;
    }
    if (choice) {
      return {
        decode: choice.decode,
        warning: isDeclared
          ? `${label} was declared as raw ${options.raw.encoding}, but it is ${foreignFormat(head)?.name ?? choice.name}: it is read as what it is.`
          : undefined,
      };
    }
    if (isText(head) && (!isDeclared || isMarkup(head))) throw await textError(input, label);
    // Servers give samples any label, and compressed sound the label of samples.
    const isSound = raw && (options.rawIsGuess !== true || !isNoise(await input.peek(NOISE_BYTES)));
    if (isSound) return { decode: rawDecoder(raw) };
    const labelled = options.contentType ? ` Its label says ${options.contentType}.` : '';
    throw new BridgeError(
      'SOUND_UNKNOWN',
      `${label} is of no format that is known: it starts with the bytes ${Buffer.from(head.subarray(0, 16)).toString('hex')}.${labelled}`,
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

/**
 * Returns true when the first bytes are those of a known format.
 * @param head first bytes, preferably 4,096
 */
export function isKnownSound(head: Uint8Array): boolean {
  return (
    choose(
      FORMATS.filter(({ isSure = true }) => isSure),
      head,
      true,
    ) !== undefined
  );
}

async function textError(input: Lookahead, label: string): Promise<BridgeError> {
  const words = wordsOf(await input.peek(MAX_TEXT_BYTES));
  return new BridgeError('SOUND_UNKNOWN', `${label} is a text and no sound. It says '${words}'.`);
}

async function* bounded(input: Lookahead): AsyncGenerator<EncodedChunk, void, undefined> {
  for (;;) {
    const chunk = await input.take(MAX_CHUNK_BYTES);
    if (!chunk) return;
    yield chunk;
  }
}

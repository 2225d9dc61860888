import { BridgeError } from '../base/errors.js';
import { isNoise, NOISE_BYTES, rawDecoder, type RawFormat } from './decode/raw.js';
import { isHeadedType, labelledRaw, type SoundLabel } from './content-type.js';
import { foreignFormat } from './decode/foreign.js';
import { Lookahead } from './decode/lookahead.js';
import { FORMATS, type SoundFormat } from './decode/table.js';
import type { Decode, EncodedChunk, PcmBlock, SoundContext } from './pcm.js';
import { isMarkup, isText, MAX_TEXT_BYTES, wordsOf } from './text.js';

/** Bytes that every format gets to see, unless the sound is shorter. */
const MIN_HEAD_BYTES = 64;
/** Bytes that are held back at the most while a format asks for more. */
const MAX_HEAD_BYTES = 4096;
/** Decoders get no more at once, so that their blocks stay bounded whatever the source hands over. */
const MAX_CHUNK_BYTES = 65_536;

/** How a sound is to be read. */
export interface DecodeOptions extends SoundLabel {
  /**
   * Format of data without a head. The first bytes decide all the same: what has a head of its own is read as what it
   * is, with a warning, for as samples it would be noise at full level.
   */
  readonly raw?: RawFormat | undefined;
  /** `raw` is only what the sender usually sends, so that nothing needs to be said of anything else. */
  readonly rawIsGuess?: boolean | undefined;
  /** Absolute path of the file whose bytes these are: what needs ffmpeg is read from there. */
  readonly path?: string | undefined;
  /** The formats to tell apart; the whole table by default. */
  readonly formats?: readonly SoundFormat[] | undefined;
}

/**
 * Decodes encoded bytes of any format of the table, which is recognised by the first bytes and never by a name. Data
 * without a head is read as `raw` or its label (`contentType`, `sampleRateHz`) says.
 * @param chunks the bytes in any chunking; ended early when the blocks are
 * @param label how messages name the sound
 * @throws BridgeError SOUND_EMPTY, SOUND_UNKNOWN with what it starts with or says, what the decoder throws, or what
 * `chunks` throws
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
 * Refuses at once what is no sound. Takes nothing of it.
 * @throws BridgeError SOUND_EMPTY, SOUND_UNKNOWN, as `decodeSound` would when it comes to it, or what the source throws
 */
export async function checkSound(
  input: Lookahead,
  label: string,
  options: DecodeOptions = {},
): Promise<void> {
  await recognise(input, label, options);
}

/** Looks at the first bytes until they tell how the sound is to be decoded. Takes nothing of it. */
async function recognise(
  input: Lookahead,
  label: string,
  options: DecodeOptions,
): Promise<{ decode: Decode; warning?: string | undefined }> {
  const raw = labelledRaw(options, options.raw);
  // A stream that is joined midway is found by looking for frames anywhere, which headerless samples may hold by chance.
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
 * Whether the first bytes are those of a format that is known.
 * @param head best 4,096 bytes of it
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

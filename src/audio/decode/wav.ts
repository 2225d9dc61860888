import { BridgeError } from '../../base/errors.js';
import type { Decode, PcmBlock, SoundContext } from '../pcm.js';
import { SampleReader } from '../samples.js';
import { FMT_BYTES, parseWavFormat, type WavFormat } from './wav-format.js';

/**
 * State of the parser. `riff`, `chunk`, `fmt` and `ds64` collect a few bytes into the head; `skip`, `data`
 * and `stray` let bytes pass and keep none.
 *
 *     riff ─► chunk ─► fmt, ds64 ─► skip ─► chunk ─► … ─► data ─► chunk ─► skip or stray
 *      ▲                                                    │               │
 *      └───────────────── the head of another file ─────────┴───────────────┘
 */
type State =
  | Collecting
  | { readonly at: 'stray'; rest: number }
  | { readonly at: 'skip'; rest: number; readonly id: string }
  | { readonly at: 'data'; rest: number; readonly claimed: number };

type Collecting =
  | { readonly at: 'riff' }
  | { readonly at: 'chunk' }
  | { readonly at: 'fmt' | 'ds64'; readonly bytes: number; readonly rest: number };

const RIFF_BYTES = 12;
const CHUNK_BYTES = 8;
const DS64_BYTES = 16;

/**
 * Maximum bytes after the sound that may be anything: data left by mistake, or a tag (ID3v1 has 128 bytes).
 */
const MAX_STRAY_BYTES = 256;

/** Chunks found after the samples. */
const TAIL_CHUNKS =
  /^(?:LIST|fact|cue |plst|labl|note|ltxt|smpl|inst|bext|iXML|JUNK|junk|PAD |FLLR|PEAK|acid|afsp|DISP|umid|minf|elm1|regn|cart|axml|chna|id3 |ID3 |levl|strc|_PMX|LGWV|SAUR|Fake|ResU)$/;

/** Part of the context used for the description and the warnings. */
type Report = Pick<SoundContext, 'info' | 'warn'>;

/**
 * Parses a WAV file in pieces of any size to blocks of PCM as soon as they are complete. RIFF, RIFX (big
 * endian), RF64 and BW64; PCM of 8 to 32 bits, floats, A-law and mu-law, plain or WAVE_FORMAT_EXTENSIBLE;
 * chunks in any order around `fmt ` and before `data`. Holds back less than a frame, and only the header
 * bytes that it reads. Consecutive files in one stream are all read, also when earlier ones have no known
 * length, are cut off, or have other bytes between them.
 */
export class WavParser {
  readonly #label: string;
  readonly #report: Report;
  readonly #head = new Uint8Array(FMT_BYTES);
  #held = 0;
  /** End of the last chunk, when it may be the start of another file's header. */
  #maybeHead: Uint8Array = new Uint8Array(0);
  #state: State = { at: 'riff' };
  #littleEndian = true;
  #riffBytes = 0;
  /** Bytes of the RIFF chunk read so far, to tell an empty `data` from an unknown length. */
  #riffRead = 0;
  #ds64DataBytes: number | undefined;
  #format: WavFormat | undefined;
  #reader: SampleReader | undefined;
  /** True after a `data` chunk of size 0 in a longer file: a chunk or the sound may follow. */
  #isUndecided = false;
  /** True after a chunk of odd size, when a byte of padding may come. */
  #mayPad = false;
  #told = false;
  #frames = 0;
  /** True after the samples of this file. */
  #spoken = false;
  #strayBytes = 0;
  #missingMs = 0;

  /**
   * @param label name of the sound in messages
   * @param report receives the description of the sound once, and warnings
   */
  constructor(label: string, report: Report) {
    this.#label = label;
    this.#report = report;
  }

  /**
   * Adds bytes.
   * @returns the PCM that is now complete
   * @throws BridgeError SOUND_UNKNOWN, SOUND_BROKEN; the parser cannot be used afterwards
   */
  push(chunk: Uint8Array): PcmBlock[] {
    let bytes = this.#maybeHead.length > 0 ? Buffer.concat([this.#maybeHead, chunk]) : chunk;
    this.#maybeHead = bytes.subarray(0, 0);
    const blocks: PcmBlock[] = [];
    let at = 0;
    while (at < bytes.length) {
      const state = this.#state;
      if (state.at === 'skip' || state.at === 'data' || state.at === 'stray') {
        const end = Math.min(bytes.length, at + state.rest);
        // A header before the samples is not another file's: those chunks can contain anything.
        const head = state.at === 'data' || this.#spoken ? findHead(bytes, at) : bytes.length;
        const part = bytes.subarray(at, Math.min(head, end));
        at += part.length;
        this.#pass(state, part, blocks);
        if (head < end) {
          if (bytes.length - head < RIFF_BYTES) {
            // A copy, because the source may reuse its memory.
            this.#maybeHead = new Uint8Array(bytes.subarray(head));
            break;
          }
          this.#endData(state);
          this.#state = { at: 'riff' };
        } else if (state.rest === 0) {
          this.#spoken ||= state.at === 'data';
          this.#state = { at: 'chunk' };
        }
        continue;
      }
      const wanted = wantedBytes(state);
      const part = bytes.subarray(at, at + wanted - this.#held);
      this.#head.set(part, this.#held);
      this.#held += part.length;
      at += part.length;
      if (this.#held < wanted) break;
      this.#held = 0;
      this.#riffRead += wanted;
      this.#step(state, this.#head.subarray(0, wanted), blocks);
      if (this.#maybeHead.length === 0) continue;
      bytes = Buffer.concat([this.#maybeHead, bytes.subarray(at)]);
      this.#maybeHead = bytes.subarray(0, 0);
      at = 0;
    }
    return blocks;
  }

  /**
   * Ends the stream.
   * @returns the last of the PCM
   * @throws BridgeError SOUND_EMPTY when it held no samples, SOUND_BROKEN when it was cut off before them
   */
  end(): PcmBlock[] {
    const state = this.#state;
    const blocks: PcmBlock[] = [];
    if (state.at === 'data' || state.at === 'stray' || state.at === 'skip')
      this.#pass(state, this.#maybeHead.subarray(0, state.rest), blocks);
    if (this.#frames === 0) throw this.#noSamples(state);
    this.#endData(state);
    if (this.#missingMs > 0)
      this.#report.warn(`${this.#label} is cut off: its last ${Math.round(this.#missingMs)} ms are missing.`);
    if (this.#strayBytes > MAX_STRAY_BYTES)
      this.#report.warn(
        `${this.#label} has ${this.#strayBytes} bytes behind its sound that are no part of it and were left out.`,
      );
    return blocks;
  }

  /** Content of the `fmt ` chunk, once it has come. */
  get format(): WavFormat | undefined {
    return this.#format;
  }

  #noSamples(state: State): BridgeError {
    if (this.#reader) return new BridgeError('SOUND_EMPTY', `${this.#label} is a WAV file without samples.`);
    const where =
      state.at === 'skip'
        ? `within its chunk '${state.id}', which claims ${state.rest} bytes more`
        : 'before its samples';
    return new BridgeError('SOUND_BROKEN', `${this.#label} is a WAV file that ends ${where}.`);
  }

  #pass(state: Exclude<State, Collecting>, part: Uint8Array, blocks: PcmBlock[]): void {
    this.#riffRead += part.length;
    state.rest -= part.length;
    if (state.at === 'stray') {
      for (const byte of part) if (byte !== 0) this.#strayBytes += 1;
    }
    if (state.at !== 'data' || part.length === 0) return;
    const block = this.#reader!.push(part);
    if (!block) return;
    this.#frames += block.samples.length / block.channels;
    blocks.push(block);
  }

  /** Counts the missing bytes when samples end before their stated size. */
  #endData(state: State): void {
    if (state.at !== 'data' || !Number.isFinite(state.rest) || state.rest === 0) return;
    if (isMadeUp(state.claimed, state.claimed - state.rest)) return;
    this.#missingMs += (state.rest / this.#reader!.frameBytes / this.#format!.sampleRateHz) * 1000;
  }

  /** Processes the bytes that the state waited for. */
  #step(state: Collecting, head: Uint8Array, blocks: PcmBlock[]): void {
    if (state.at === 'riff') return this.#onRiff(head);
    if (state.at === 'chunk') return this.#onChunk(head, blocks);
    if (state.at === 'fmt') this.#format = parseWavFormat(head, this.#littleEndian, this.#label);
    else {
      const view = new DataView(head.buffer, head.byteOffset, head.length);
      this.#ds64DataBytes = Number(view.getBigUint64(8, this.#littleEndian));
    }
    this.#state = state.rest > 0 ? { at: 'skip', rest: state.rest, id: state.at } : { at: 'chunk' };
  }

  #onRiff(head: Uint8Array): void {
    const id = latin1(head, 0);
    if (!isRiff(id) || latin1(head, 8) !== 'WAVE') {
      if (this.#spoken) return this.#onStray(head);
      throw new BridgeError(
        'SOUND_UNKNOWN',
        `${this.#label} is not a WAV file: it starts with ${Buffer.from(head).toString('hex')}.`,
      );
    }
    this.#littleEndian = id !== 'RIFX';
    this.#riffBytes = this.#uint32(head, 4);
    this.#riffRead = 4;
    this.#ds64DataBytes = undefined;
    this.#format = undefined;
    this.#mayPad = false;
    this.#isUndecided = false;
    this.#spoken = false;
    this.#state = { at: 'chunk' };
  }

  #onChunk(head: Uint8Array, blocks: PcmBlock[]): void {
    const id = latin1(head, 0);
    const bytes = this.#uint32(head, 4);
    if (this.#isUndecided && !(isName(id) && bytes <= this.#riffBytes - this.#riffRead)) {
      const rest = this.#riffBytes - this.#riffRead + CHUNK_BYTES;
      this.#riffRead -= CHUNK_BYTES;
      const state = this.#startData(rest);
      this.#pass(state, new Uint8Array(head), blocks);
      return;
    }
    this.#isUndecided = false;
    // Not every writer pads, so a chunk that starts at once is accepted.
    if (this.#mayPad && id !== 'fmt ' && id !== 'data' && !isRiff(id)) {
      this.#mayPad = false;
      this.#head.copyWithin(0, 1, CHUNK_BYTES);
      this.#held = CHUNK_BYTES - 1;
      this.#riffRead -= CHUNK_BYTES - 1;
      return;
    }
    this.#mayPad = bytes % 2 === 1;
    if (this.#spoken) return this.#onChunkAfterData(id, bytes, head);
    if (id === 'data') return this.#onData(bytes);
    const wanted = id === 'fmt ' ? FMT_BYTES : id === 'ds64' ? DS64_BYTES : 0;
    const taken = Math.min(wanted, bytes);
    if (id === 'fmt ' || (id === 'ds64' && taken === DS64_BYTES))
      this.#state = { at: id === 'fmt ' ? 'fmt' : 'ds64', bytes: taken, rest: bytes - taken };
    else if (bytes > 0) this.#state = { at: 'skip', rest: bytes, id: printable(id) };
  }

  #onData(claimedBytes: number): void {
    if (!this.#format)
      throw new BridgeError(
        'SOUND_BROKEN',
        `${this.#label} has its samples ('data') before their format ('fmt ').`,
      );
    const { encoding, sampleRateHz, channels, channelMask } = this.#format;
    this.#reader = new SampleReader(encoding, sampleRateHz, channels, channelMask);
    const bytes = this.#dataBytes(claimedBytes);
    if (bytes > 0) this.#startData(bytes);
    else this.#isUndecided = true;
  }

  #startData(bytes: number): Extract<State, { at: 'data' }> {
    this.#isUndecided = false;
    this.#mayPad = bytes % 2 === 1;
    const { name, sampleRateHz, channels } = this.#format!;
    if (!this.#told) {
      const ms = (Math.floor(bytes / this.#reader!.frameBytes) / sampleRateHz) * 1000;
      this.#report.info({
        format: `WAV, ${name}`,
        sampleRateHz,
        channels,
        durationMs: Number.isFinite(ms) ? ms : undefined,
      });
    }
    this.#told = true;
    const state: Extract<State, { at: 'data' }> = { at: 'data', rest: bytes, claimed: bytes };
    this.#state = state;
    return state;
  }

  /**
   * Returns the size of a `data` chunk: Infinity when its writer did not know it, as a program that writes to
   * a pipe.
   */
  #dataBytes(claimed: number): number {
    if (claimed === UNKNOWN_BYTES && this.#ds64DataBytes !== undefined)
      return this.#ds64DataBytes > 0 && Number.isSafeInteger(this.#ds64DataBytes)
        ? this.#ds64DataBytes
        : Infinity;
    if (isPlaceholderSize(claimed)) return Infinity;
    // Zero means both 'none' and 'not known yet'. In a longer file the next bytes decide.
    const ends = this.#riffBytes <= this.#riffRead || isPlaceholderSize(this.#riffBytes);
    return claimed === 0 && ends ? Infinity : claimed;
  }

  /**
   * Handles a chunk after the samples. It is skipped, unless it is the header of another file in a joined
   * stream.
   */
  #onChunkAfterData(id: string, bytes: number, head: Uint8Array): void {
    if (isRiff(id)) {
      this.#head.set(head);
      this.#held = CHUNK_BYTES;
      this.#state = { at: 'riff' };
    } else if (TAIL_CHUNKS.test(id)) {
      if (bytes > 0) this.#state = { at: 'skip', rest: bytes, id };
    } else this.#onStray(head);
  }

  #onStray(head: Uint8Array): void {
    this.#state = { at: 'stray', rest: Infinity };
    // The header of a file can begin within these bytes.
    this.#maybeHead = new Uint8Array(head);
  }

  #uint32(bytes: Uint8Array, at: number): number {
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, this.#littleEndian);
  }
}

const UNKNOWN_BYTES = 0xffffffff;
const MIB = 2 ** 20;
/**
 * Maximum distance of a made-up size from a round number: writers may subtract a header of 8 to 44 bytes.
 */
const ROUND_WITHIN_BYTES = 64;
/** Minimum size that counts as a placeholder before the data has come. */
const MIN_PLACEHOLDER_BYTES = 2 ** 28;
/** Minimum size that counts as made up once the received size is known. */
const MIN_MADE_UP_BYTES = 500_000;

/**
 * Returns true for a size that writers use when they do not know it: round or near a power of two, and large.
 * False for zero, which can mean 'none'.
 */
export function isPlaceholderSize(bytes: number): boolean {
  const isTop = (bytes >= 0x7fff0000 && bytes <= 0x80000000) || bytes >= 0xffff0000;
  return isTop || (bytes >= MIN_PLACEHOLDER_BYTES && isRound(bytes, MIB, 1_000_000));
}

/**
 * Returns true when a size is made up, judged after all of the sound has come.
 * @param came received bytes
 */
export function isMadeUp(claimed: number, came: number): boolean {
  return (
    isPlaceholderSize(claimed) ||
    (claimed >= MIN_MADE_UP_BYTES && claimed > 4 * came && isRound(claimed, MIB, 100_000))
  );
}

function isRound(bytes: number, ...units: readonly number[]): boolean {
  return units.some((unit) => {
    const over = bytes % unit;
    return Math.min(over, unit - over) <= ROUND_WITHIN_BYTES;
  });
}

/**
 * Searches for the header of a WAV file.
 * @returns its position, or that of a possible incomplete header at the end; the end of the bytes without one
 */
function findHead(bytes: Uint8Array, from: number): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const last = Math.max(from, bytes.length - RIFF_BYTES + 1);
  for (
    let at = buffer.indexOf('WAVE', from + 8, 'latin1');
    at >= 0;
    at = buffer.indexOf('WAVE', at + 1, 'latin1')
  )
    if (isRiff(latin1(bytes, at - 8))) return at - 8;
  for (let at = last; at < bytes.length; at++) if (mayBeHead(bytes, at)) return at;
  return bytes.length;
}

function mayBeHead(bytes: Uint8Array, at: number): boolean {
  const there = Buffer.from(bytes.subarray(at)).toString('latin1');
  return RIFF_IDS.some((id) => id.startsWith(there.slice(0, 4))) && 'WAVE'.startsWith(there.slice(8));
}

function wantedBytes(state: Collecting): number {
  if (state.at === 'riff') return RIFF_BYTES;
  return state.at === 'chunk' ? CHUNK_BYTES : state.bytes;
}

function latin1(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!);
}

const RIFF_IDS = ['RIFF', 'RIFX', 'RF64', 'BW64'];

function isRiff(id: string): boolean {
  return RIFF_IDS.includes(id);
}

/** Returns true when four characters can be the name of a chunk. */
function isName(id: string): boolean {
  return /^[A-Za-z0-9_ ]{4}$/.test(id);
}

/** Returns the printable form of a chunk's name. */
function printable(id: string): string {
  return id.replace(/[^ -~]/g, '?');
}

/**
 * Returns true when the bytes start a WAV file that `decodeWav` decodes.
 * @param head 12 bytes or more
 */
export function isWav(head: Uint8Array): boolean {
  return head.length >= RIFF_BYTES && isRiff(latin1(head, 0)) && latin1(head, 8) === 'WAVE';
}

/**
 * Returns true when the bytes start a WAV file with a codec other than PCM, for another decoder.
 * @returns 'more' when its format has not come yet
 */
export function isForeignWav(head: Uint8Array): boolean | 'more' {
  if (!isWav(head)) return false;
  const parser = new WavParser('head', { info: () => undefined, warn: () => undefined });
  try {
    parser.push(head);
  } catch (error) {
    return error instanceof BridgeError && error.code === 'SOUND_UNKNOWN';
  }
  return parser.format ? false : 'more';
}

/** Decodes a WAV file as `WavParser` does; a truncated file is spoken up to its end, with a warning. */
export const decodeWav: Decode = async function* (chunks, label, context) {
  const parser = new WavParser(label, context);
  for await (const chunk of chunks) yield* parser.push(chunk);
  yield* parser.end();
};

import { BridgeError } from '../../base/errors.js';
import type { Decode, PcmBlock, SoundContext } from '../pcm.js';
import { SampleReader } from './samples.js';
import { FMT_BYTES, parseWavFormat, type WavFormat } from './wav-format.js';

/**
 * Where the parser is. `riff`, `chunk`, `fmt` and `ds64` collect a few bytes into the head; `skip`, `data` and `after`
 * let bytes pass and keep none.
 *
 *     riff ─► chunk ─► fmt, ds64 ─► skip ─► chunk ─► … ─► data ─► chunk (of an appended file) or after
 */
type State =
  | Collecting
  | { readonly at: 'after' }
  | { readonly at: 'skip'; rest: number; readonly id: string }
  | { readonly at: 'data'; rest: number };

type Collecting =
  | { readonly at: 'riff' }
  | { readonly at: 'chunk' }
  | { readonly at: 'fmt' | 'ds64'; readonly bytes: number; readonly rest: number };

const RIFF_BYTES = 12;
const CHUNK_BYTES = 8;
const DS64_BYTES = 16;

/** What `end` and the warnings need of a sound's context. */
type Report = Pick<SoundContext, 'info' | 'warn'>;

/**
 * A WAV file in pieces of any size, to blocks of PCM as soon as they are whole. RIFF, RIFX (big endian), RF64 and
 * BW64; PCM of 8 to 32 bits, floats, A-law and mu-law, plain or WAVE_FORMAT_EXTENSIBLE; chunks in any order around
 * `fmt ` and before `data`. Holds back less than a frame, and of the head only the bytes that it reads. Files that
 * follow one another in one stream are read through, if their sizes are true.
 */
export class WavParser {
  readonly #label: string;
  readonly #report: Report;
  readonly #head = new Uint8Array(FMT_BYTES);
  #held = 0;
  #state: State = { at: 'riff' };
  #littleEndian = true;
  #riffBytes = 0;
  /** Content of the RIFF chunk that has gone by, to tell an empty `data` from an unknown length. */
  #riffRead = 0;
  #ds64DataBytes: number | undefined;
  #format: WavFormat | undefined;
  #reader: SampleReader | undefined;
  /** The chunk before had an odd size, so a byte of padding may come. */
  #mayPad = false;
  #files = 0;
  #frames = 0;
  /** This file's samples have gone by. */
  #spoken = false;

  /**
   * @param label how messages name the sound
   * @param report told once what the sound is, and of what is odd about it
   */
  constructor(label: string, report: Report) {
    this.#label = label;
    this.#report = report;
  }

  /**
   * Adds bytes.
   * @returns the PCM that is now whole
   * @throws BridgeError SOUND_UNKNOWN, SOUND_BROKEN; the parser is then of no more use
   */
  push(bytes: Uint8Array): PcmBlock[] {
    const blocks: PcmBlock[] = [];
    let at = 0;
    while (at < bytes.length) {
      const state = this.#state;
      if (state.at === 'after') break;
      if (state.at === 'skip' || state.at === 'data') {
        const part = bytes.subarray(at, at + state.rest);
        at += part.length;
        this.#riffRead += part.length;
        state.rest -= part.length;
        if (state.at === 'data') this.#read(part, blocks);
        if (state.rest === 0) {
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
      this.#step(state, this.#head.subarray(0, wanted));
    }
    return blocks;
  }

  /**
   * The stream has ended.
   * @throws BridgeError SOUND_EMPTY when it held no samples, SOUND_BROKEN when it was cut off before them
   */
  end(): void {
    const state = this.#state;
    if (state.at === 'data' && Number.isFinite(state.rest) && state.rest > 0 && this.#frames > 0) {
      const frameBytes = this.#reader!.frameBytes;
      const missingMs = Math.round((state.rest / frameBytes / this.#format!.sampleRateHz) * 1000);
      this.#report.warn(`${this.#label} is cut off: its last ${missingMs} ms are missing.`);
    }
    if (this.#frames > 0) return;
    if (this.#reader) throw new BridgeError('SOUND_EMPTY', `${this.#label} is a WAV file without samples.`);
    const where =
      state.at === 'skip'
        ? `within its chunk '${state.id}', which claims ${state.rest} bytes more`
        : 'before its samples';
    throw new BridgeError('SOUND_BROKEN', `${this.#label} is a WAV file that ends ${where}.`);
  }

  /** What the `fmt ` chunk said, once it has come. */
  get format(): WavFormat | undefined {
    return this.#format;
  }

  #read(part: Uint8Array, blocks: PcmBlock[]): void {
    const block = this.#reader!.push(part);
    if (!block) return;
    this.#frames += block.samples.length / block.channels;
    blocks.push(block);
  }

  /** The bytes that the state waited for are here. */
  #step(state: Collecting, head: Uint8Array): void {
    if (state.at === 'riff') return this.#onRiff(head);
    if (state.at === 'chunk') return this.#onChunk(head);
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
      // Something else that is appended is no more than trailing bytes.
      if (this.#spoken) return void (this.#state = { at: 'after' });
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
    this.#spoken = false;
    this.#state = { at: 'chunk' };
    this.#files += 1;
  }

  #onChunk(head: Uint8Array): void {
    const id = latin1(head, 0);
    // Not every writer pads: a chunk that starts at once is taken as it stands.
    if (this.#mayPad && id !== 'fmt ' && id !== 'data' && !isRiff(id)) {
      this.#mayPad = false;
      this.#head.copyWithin(0, 1, CHUNK_BYTES);
      this.#held = CHUNK_BYTES - 1;
      this.#riffRead -= CHUNK_BYTES - 1;
      return;
    }
    const bytes = this.#uint32(head, 4);
    this.#mayPad = bytes % 2 === 1;
    if (this.#spoken) return this.#onChunkAfterData(id, head);
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
    const { encoding, sampleRateHz, channels, name } = this.#format;
    this.#reader = new SampleReader(encoding, sampleRateHz, channels);
    const bytes = this.#dataBytes(claimedBytes);
    if (this.#files === 1)
      this.#report.info({
        format: `WAV, ${name}`,
        sampleRateHz,
        channels,
        ...(Number.isFinite(bytes) && {
          durationMs: (Math.floor(bytes / this.#reader.frameBytes) / sampleRateHz) * 1000,
        }),
      });
    if (bytes > 0) this.#state = { at: 'data', rest: bytes };
  }

  /** What a `data` chunk holds: Infinity when its writer did not know, as a program that writes to a pipe. */
  #dataBytes(claimed: number): number {
    if (claimed === UNKNOWN_BYTES && this.#ds64DataBytes !== undefined)
      return this.#ds64DataBytes > 0 && Number.isSafeInteger(this.#ds64DataBytes)
        ? this.#ds64DataBytes
        : Infinity;
    if (isUnknown(claimed)) return Infinity;
    // Zero is both 'none' and 'not known yet'. It is 'none' when the file says that more chunks follow.
    if (claimed === 0 && (isUnknown(this.#riffBytes) || this.#riffBytes <= this.#riffRead)) return Infinity;
    return claimed;
  }

  /** Chunks behind the samples do not matter, but another file does: streams of joined files are met in the wild. */
  #onChunkAfterData(id: string, head: Uint8Array): void {
    if (isRiff(id)) {
      this.#head.set(head);
      this.#held = CHUNK_BYTES;
      this.#state = { at: 'riff' };
      return;
    }
    const bytes = this.#uint32(head, 4);
    this.#state = /^[ -~]{4}$/.test(id) && bytes > 0 ? { at: 'skip', rest: bytes, id } : { at: 'after' };
  }

  #uint32(bytes: Uint8Array, at: number): number {
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, this.#littleEndian);
  }
}

const UNKNOWN_BYTES = 0xffffffff;

/** The sizes that writers put where they do not know: the top of 31 and of 32 bits, at times rounded down to pages. */
function isUnknown(bytes: number): boolean {
  return (bytes >= 0x7fff0000 && bytes <= 0x80000000) || bytes >= 0xffff0000;
}

function wantedBytes(state: Collecting): number {
  if (state.at === 'riff') return RIFF_BYTES;
  return state.at === 'chunk' ? CHUNK_BYTES : state.bytes;
}

function latin1(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!);
}

function isRiff(id: string): boolean {
  return id === 'RIFF' || id === 'RIFX' || id === 'RF64' || id === 'BW64';
}

/** A chunk's name as it can be shown. */
function printable(id: string): string {
  return id.replace(/[^ -~]/g, '?');
}

/**
 * Whether these bytes start a WAV file, and so are `decodeWav`'s.
 * @param head 12 bytes or more
 */
export function isWav(head: Uint8Array): boolean {
  return head.length >= RIFF_BYTES && isRiff(latin1(head, 0)) && latin1(head, 8) === 'WAVE';
}

/**
 * Whether these bytes start a WAV file that holds another codec than PCM, for a decoder that can do more.
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

/** Decodes a WAV file as `WavParser` does; a file that is cut off is spoken up to there, with a warning. */
export const decodeWav: Decode = async function* (chunks, label, context) {
  const parser = new WavParser(label, context);
  for await (const chunk of chunks) yield* parser.push(chunk);
  parser.end();
};

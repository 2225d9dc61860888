import { TAG_HEAD_BYTES, tagBytes } from './id3.js';
import { MPEG_HEADER_BYTES, parseMpegHeader, type MpegHeader } from './mpeg-header.js';
import { parseXing, type XingTag } from './xing.js';

/** One encoder's run of frames. A stream has several when files were put one behind the other. */
export interface Mp3Segment {
  readonly header: MpegHeader;
  /** What its first frame says of it; absent when it is sound already. */
  readonly tag: XingTag | undefined;
}

/** Whole frames of one segment, one behind the other. */
export interface Mp3Frames {
  readonly segment: Mp3Segment;
  readonly bytes: Uint8Array;
  readonly frames: number;
}

/**
 * Bytes of MPEG audio in any chunking to whole frames. A frame counts when it stands where the one before it ends, or
 * when another of its kind follows at its end; everything else never reaches a decoder, which would make noise of it.
 * Tags are passed over wherever they stand. Holds back at most two frames.
 */
export class Mp3Splitter {
  #held: Uint8Array = new Uint8Array(0);
  /** Bytes of a tag that are still to come. */
  #skip = 0;
  #segment: Mp3Segment | undefined;
  /** The last header, while frames follow without a gap. */
  #locked: MpegHeader | undefined;
  #leadInBytes: number;
  /** Damage since the last frame or tag. */
  #astray = false;
  #strayBytes = 0;

  /** @param leadInBytes of damage that are no damage: a stream that is joined midway starts with part of a frame */
  constructor(leadInBytes: number) {
    this.#leadInBytes = leadInBytes;
  }

  /** Bytes that were neither frames nor tags nor zeros. */
  get strayBytes(): number {
    return this.#strayBytes;
  }

  /** Bytes that a tag claims and that have not come. */
  get missingTagBytes(): number {
    return this.#skip;
  }

  /** Adds bytes. @returns the frames that are now whole, in order */
  push(bytes: Uint8Array): Mp3Frames[] {
    return this.#run(bytes, false);
  }

  /** The end of the stream. @returns the last frames, and whether the very last one is cut off */
  end(): { frames: Mp3Frames[]; cutOff: boolean } {
    const frames = this.#run(new Uint8Array(0), true);
    const cutOff = this.#held.length > 0;
    this.#held = new Uint8Array(0);
    return { frames, cutOff };
  }

  #run(chunk: Uint8Array, atEnd: boolean): Mp3Frames[] {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    const out: Mp3Frames[] = [];
    let at = 0;
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      this.#skip -= skipped;
      at += skipped;
      const left = bytes.length - at;
      if (left === 0 || (!atEnd && left < TAG_HEAD_BYTES)) break;
      // A word in the middle of damage is no tag: its length would swallow the sound behind it.
      if (!this.#astray) this.#skip = tagBytes(bytes.subarray(at, at + TAG_HEAD_BYTES));
      if (this.#skip > 0) {
        this.#locked = undefined;
        continue;
      }
      const length = this.#frameAt(bytes, at, atEnd);
      if (length === 'more') break;
      if (length > 0) this.#accept(bytes, at, length, out);
      else this.#count(bytes[at]!);
      at += length || 1;
    }
    // A copy: the source may use its memory again.
    this.#held = new Uint8Array(bytes.subarray(at));
    return out;
  }

  /** Length of the frame that starts here; 0 when none does; 'more' when that cannot be told yet. */
  #frameAt(bytes: Uint8Array, at: number, atEnd: boolean): number | 'more' {
    const header = this.#locked ? this.#fits(bytes, at) : parseMpegHeader(bytes, at);
    if (!header) {
      if (!this.#locked) return 0;
      this.#locked = undefined;
      return this.#frameAt(bytes, at, atEnd);
    }
    // What cannot be whole any more is left as it is when it belongs to the stream: the stream was cut off there.
    const more = (): number | 'more' => (atEnd && !this.#locked ? 0 : 'more');
    const length = header.frameBytes;
    const next = at + length;
    if (next > bytes.length) return more();
    if (!this.#locked) {
      // Another frame of the same kind must follow, or the stream must end right here.
      if (next + MPEG_HEADER_BYTES > bytes.length && !(atEnd && next === bytes.length)) return more();
      const follower = parseMpegHeader(bytes, next);
      const tagFollows = tagBytes(bytes.subarray(next, next + TAG_HEAD_BYTES)) > 0;
      if (next < bytes.length && follower?.kind !== header.kind && !tagFollows) return 0;
    }
    this.#locked = header;
    this.#astray = false;
    return length;
  }

  /** The header here, if it is one of the stream that we are in. */
  #fits(bytes: Uint8Array, at: number): MpegHeader | undefined {
    const header = parseMpegHeader(bytes, at);
    return header?.kind === this.#locked?.kind ? header : undefined;
  }

  #accept(bytes: Uint8Array, at: number, length: number, out: Mp3Frames[]): void {
    const header = this.#locked!;
    const frame = bytes.subarray(at, at + length);
    const tag = parseXing(frame, header);
    if (tag || this.#segment?.header.kind !== header.kind) this.#segment = { header, tag };
    const last = out.at(-1);
    if (tag) out.push({ segment: this.#segment, bytes: frame.subarray(0, 0), frames: 0 });
    else if (
      last?.segment === this.#segment &&
      last.bytes.byteOffset + last.bytes.length === frame.byteOffset
    )
      out[out.length - 1] = {
        segment: last.segment,
        bytes: new Uint8Array(frame.buffer, last.bytes.byteOffset, last.bytes.length + length),
        frames: last.frames + 1,
      };
    else out.push({ segment: this.#segment, bytes: frame, frames: 1 });
  }

  #count(byte: number): void {
    if (!this.#segment && this.#leadInBytes > 0) this.#leadInBytes -= 1;
    else if (byte !== 0) {
      this.#strayBytes += 1;
      this.#astray = true;
    }
  }
}

/**
 * Whether a sound starts with frames of MPEG audio.
 * @param head the first bytes
 * @returns 'more' when a head stands there and the next one cannot be seen yet
 */
export function isMp3(head: Uint8Array): boolean | 'more' {
  const header = parseMpegHeader(head, 0);
  if (!header) return false;
  if (header.frameBytes + MPEG_HEADER_BYTES > head.length) return 'more';
  return parseMpegHeader(head, header.frameBytes)?.kind === header.kind;
}

/**
 * Whether frames of MPEG audio start somewhere near: an internet radio can be joined in the middle of one.
 * @param head the first bytes
 * @returns true with three heads in the right places, else 'more': nobody can tell what comes
 */
export function holdsMp3(head: Uint8Array): true | 'more' {
  for (let at = head.indexOf(0xff); at >= 0; at = head.indexOf(0xff, at + 1)) {
    const first = parseMpegHeader(head, at);
    if (!first) continue;
    const second = parseMpegHeader(head, at + first.frameBytes);
    if (second?.kind !== first.kind) continue;
    if (parseMpegHeader(head, at + first.frameBytes + second.frameBytes)?.kind === first.kind) return true;
  }
  return 'more';
}

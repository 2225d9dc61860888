import { TAG_HEAD_BYTES, tagBytes } from './id3.js';
import { MPEG_HEADER_BYTES, parseMpegHeader, type MpegHeader } from './mpeg-header.js';
import { parseXing, type XingTag } from './xing.js';

/** Consecutive frames of one encoder. A stream has several segments when files were concatenated. */
export interface Mp3Segment {
  readonly header: MpegHeader;
  /** Tag in its first frame; undefined when that frame is sound. */
  readonly tag: XingTag | undefined;
}

/** Consecutive whole frames of one segment. */
export interface Mp3Frames {
  readonly segment: Mp3Segment;
  readonly bytes: Uint8Array;
  readonly frames: number;
}

/**
 * Splits MPEG audio bytes in any chunking into whole frames. A frame counts when it starts at the end of the
 * one before, or when another of its kind follows; anything else would be decoded to noise and is left out.
 * Tags are skipped at any position. Holds back at most two frames.
 */
export class Mp3Splitter {
  #held: Uint8Array = new Uint8Array(0);
  /** Bytes of a tag that are still to come. */
  #skip = 0;
  #segment: Mp3Segment | undefined;
  /** Last header, while frames follow without a gap. */
  #locked: MpegHeader | undefined;
  #leadInBytes: number;
  /** True when damage came since the last frame or tag. */
  #astray = false;
  #strayBytes = 0;

  /**
   * @param leadInBytes leading bytes that do not count as damage: a stream joined midway starts with part of
   * a frame
   */
  constructor(leadInBytes: number) {
    this.#leadInBytes = leadInBytes;
  }

  /** Bytes that were neither frames nor tags nor zeros. */
  get strayBytes(): number {
    return this.#strayBytes;
  }

  /** Bytes of a tag that have not come. */
  get missingTagBytes(): number {
    return this.#skip;
  }

  /** Adds bytes. @returns the frames that are now complete, in order */
  push(bytes: Uint8Array): Mp3Frames[] {
    return this.#run(bytes, false);
  }

  /** Ends the stream. @returns the last frames, and whether the last one is cut off */
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
      // A tag word within damage is not trusted: its length would skip the sound after it.
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
    // A copy, because the source may reuse its memory.
    this.#held = new Uint8Array(bytes.subarray(at));
    return out;
  }

  /** Returns the length of the frame that starts here; 0 without one; 'more' when more bytes are needed. */
  #frameAt(bytes: Uint8Array, at: number, atEnd: boolean): number | 'more' {
    const header = this.#locked ? this.#fits(bytes, at) : parseMpegHeader(bytes, at);
    if (!header) {
      if (!this.#locked) return 0;
      this.#locked = undefined;
      return this.#frameAt(bytes, at, atEnd);
    }
    // At the end, an incomplete frame of the stream is kept as it is: the stream was cut off there.
    const more = (): number | 'more' => (atEnd && !this.#locked ? 0 : 'more');
    const length = header.frameBytes;
    const next = at + length;
    if (next > bytes.length) return more();
    if (!this.#locked) {
      // Another frame of the same kind must follow, or the stream must end here.
      if (next + MPEG_HEADER_BYTES > bytes.length && !(atEnd && next === bytes.length)) return more();
      const follower = parseMpegHeader(bytes, next);
      const tagFollows = tagBytes(bytes.subarray(next, next + TAG_HEAD_BYTES)) > 0;
      if (next < bytes.length && follower?.kind !== header.kind && !tagFollows) return 0;
    }
    this.#locked = header;
    this.#astray = false;
    return length;
  }

  /** Returns the header here, if it belongs to the current stream. */
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
 * Returns true when a sound starts with frames of MPEG audio.
 * @param head the first bytes
 * @returns 'more' when there is a header and the next one is not yet visible
 */
export function isMp3(head: Uint8Array): boolean | 'more' {
  const header = parseMpegHeader(head, 0);
  if (!header) return false;
  if (header.frameBytes + MPEG_HEADER_BYTES > head.length) return 'more';
  return parseMpegHeader(head, header.frameBytes)?.kind === header.kind;
}

/**
 * Looks for frames of MPEG audio near the start: an internet radio can be joined within a frame.
 * @param head the first bytes
 * @returns true with three headers at the right distances, otherwise 'more': later bytes may contain them
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

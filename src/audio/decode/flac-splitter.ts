import {
  flacCrc16,
  MAX_FRAME_HEADER_BYTES,
  parseFlacFrame,
  parseStreamInfo,
  STREAM_INFO_BYTES,
  type FlacFrameHeader,
  type FlacInfo,
} from './flac-frame.js';
import { TAG_HEAD_BYTES, tagBytes } from './id3.js';

/** Output: the header of a stream, or one frame with a valid checksum. */
export type FlacPiece =
  | {
      readonly kind: 'stream';
      readonly info: FlacInfo;
      /** `fLaC` and STREAMINFO alone. */ readonly head: Uint8Array;
    }
  | {
      readonly kind: 'frame';
      readonly header: FlacFrameHeader;
      readonly bytes: Uint8Array;
      readonly channelMask: number | undefined;
    };

const MAGIC = [0x66, 0x4c, 0x61, 0x43];
const BLOCK_HEAD_BYTES = 4;
/** Type of a metadata block with comments. */
const VORBIS_COMMENT = 4;
/** Maximum comment that is read; longer ones hold pictures, and a layout is in short ones. */
const MAX_COMMENT_BYTES = 16_384;
/** Bytes needed to examine a position, unless the stream ends. */
const AHEAD_BYTES = Math.max(TAG_HEAD_BYTES, MAX_FRAME_HEADER_BYTES);
/** Number of times that a search may read each byte before the data counts as malicious. */
const MAX_EFFORT = 8;

/** Thrown when a search would take too long. */
export class EffortError extends Error {}

/**
 * Splits FLAC bytes in any chunking into frames. The format has no frame length: a frame ends where the next
 * one begins and its checksum is valid. Only damaged frames are left out. Metadata of any size is skipped;
 * files may follow one another. Holds back one frame.
 */
export class FlacSplitter {
  #held: Uint8Array = new Uint8Array(0);
  #state: 'magic' | 'block' | 'frames' = 'magic';
  /** Bytes to skip. */
  #skip = 0;
  #isLastBlock = false;
  #info: FlacInfo | undefined;
  #channelMask: number | undefined;
  /** Frame whose end is being searched: the position, and the checksum up to there. */
  #scan: { readonly header: FlacFrameHeader; bytes: number; crc: number } | undefined;
  #strayBytes = 0;
  /** True when damage came since the last frame. */
  #astray = false;
  /** True when the stream ended within a frame. */
  #unfinished = false;
  #lostFrames = 0;
  #received = 0;
  #effort = 0;

  /** Bytes that belong to no frame. */
  get strayBytes(): number {
    return this.#strayBytes;
  }

  /** Frames with a wrong checksum. */
  get lostFrames(): number {
    return this.#lostFrames;
  }

  /** Adds bytes. @throws EffortError */
  push(bytes: Uint8Array): FlacPiece[] {
    this.#received += bytes.length;
    return this.#run(bytes, false);
  }

  /** Ends the stream. @returns the last frames, and whether the end was cut off */
  end(): { pieces: FlacPiece[]; cutOff: boolean } {
    const pieces = this.#run(new Uint8Array(0), true);
    return { pieces, cutOff: this.#unfinished || this.#held.length > 0 || this.#skip > 0 };
  }

  #run(chunk: Uint8Array, atEnd: boolean): FlacPiece[] {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    const pieces: FlacPiece[] = [];
    let at = 0;
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      this.#skip -= skipped;
      at += skipped;
      if (at === bytes.length || (!atEnd && bytes.length - at < AHEAD_BYTES)) break;
      const taken = this.#step(bytes, at, atEnd, pieces);
      if (taken === 'more') break;
      at += taken;
    }
    // A copy, because the source may reuse its memory.
    this.#held = new Uint8Array(bytes.subarray(at));
    return pieces;
  }

  /** @returns the number of bytes processed */
  #step(bytes: Uint8Array, at: number, atEnd: boolean, pieces: FlacPiece[]): number | 'more' {
    if (this.#state === 'block') return this.#block(bytes, at, atEnd, pieces);
    if (!this.#scan) {
      if (isMagic(bytes, at)) {
        this.#state = 'block';
        return MAGIC.length;
      }
      // A tag word within damage is not trusted: its length would skip the sound after it.
      if (!this.#astray) this.#skip = tagBytes(bytes.subarray(at, at + TAG_HEAD_BYTES));
      if (this.#skip > 0) return 0;
      const header = this.#info && parseFlacFrame(bytes, at, this.#info);
      if (!header) {
        if (bytes[at] !== 0) this.#stray();
        return 1;
      }
      this.#scan = { header, bytes: 0, crc: 0 };
    }
    return this.#findEnd(bytes, at, atEnd, pieces);
  }

  #block(bytes: Uint8Array, at: number, atEnd: boolean, pieces: FlacPiece[]): number | 'more' {
    if (at + BLOCK_HEAD_BYTES > bytes.length) return 'more';
    const type = bytes[at]! & 0x7f;
    const length = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const isInfo = type === 0 && length >= STREAM_INFO_BYTES;
    const isComment = type === VORBIS_COMMENT && length <= MAX_COMMENT_BYTES;
    if (isComment && !atEnd && at + BLOCK_HEAD_BYTES + length > bytes.length) return 'more';
    if (isComment) this.#readMask(bytes.subarray(at + BLOCK_HEAD_BYTES, at + BLOCK_HEAD_BYTES + length));
    if (isInfo && at + BLOCK_HEAD_BYTES + STREAM_INFO_BYTES > bytes.length) return 'more';
    this.#isLastBlock = (bytes[at]! & 0x80) !== 0;
    if (this.#isLastBlock) this.#state = 'frames';
    if (isInfo) {
      const content = bytes.subarray(at + BLOCK_HEAD_BYTES, at + BLOCK_HEAD_BYTES + STREAM_INFO_BYTES);
      this.#info = parseStreamInfo(content);
      this.#channelMask = undefined;
      // 0x80 marks the last block: the decoder gets no other metadata.
      const head = Buffer.concat([Uint8Array.from([...MAGIC, 0x80, 0, 0, STREAM_INFO_BYTES]), content]);
      pieces.push({ kind: 'stream', info: this.#info, head });
    }
    this.#skip = length;
    return BLOCK_HEAD_BYTES;
  }

  /** Reads the speaker layout from a comment, where encoders state an unusual one. */
  #readMask(comment: Uint8Array): void {
    const mask = /WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x([0-9a-f]{1,8})/i.exec(
      Buffer.from(comment).toString('latin1'),
    )?.[1];
    if (mask !== undefined) this.#channelMask = parseInt(mask, 16);
  }

  #findEnd(bytes: Uint8Array, at: number, atEnd: boolean, pieces: FlacPiece[]): number | 'more' {
    const scan = this.#scan!;
    const { header } = scan;
    const last = atEnd ? bytes.length : bytes.length - AHEAD_BYTES;
    let end = at + Math.max(scan.bytes, header.headerBytes);
    let done = at + scan.bytes;
    const start = done;
    for (; end <= last && end - at <= header.maxBytes; end++) {
      if (!mayEnd(bytes, end)) continue;
      scan.crc = flacCrc16(scan.crc, bytes, done, end);
      done = end;
      if (scan.crc === 0) {
        pieces.push({
          kind: 'frame',
          header,
          bytes: bytes.subarray(at, end),
          channelMask: this.#channelMask,
        });
        this.#scan = undefined;
        this.#astray = false;
        this.#unfinished = false;
        return end - at;
      }
      const next = parseFlacFrame(bytes, end, this.#info!);
      if (next && isLater(next, header)) {
        this.#lostFrames += 1;
        this.#scan = undefined;
        return end - at;
      }
    }
    this.#effort += end - start;
    if (this.#effort > MAX_EFFORT * (this.#received + 2 ** 20)) throw new EffortError();
    if (end - at > header.maxBytes || atEnd) {
      // It was not a frame's header, or the next one is damaged too, or the stream was cut off in it.
      this.#scan = undefined;
      if (end - at <= header.maxBytes) this.#unfinished = true;
      this.#stray();
      return 1;
    }
    scan.crc = flacCrc16(scan.crc, bytes, done, Math.max(done, end));
    scan.bytes = Math.max(done, end) - at;
    return 'more';
  }

  #stray(): void {
    if (!this.#unfinished) this.#strayBytes += 1;
    this.#astray = true;
  }
}

/**
 * Returns true when a sound is FLAC.
 * @param head the first bytes
 */
export function isFlac(head: Uint8Array): boolean {
  return isMagic(head, 0);
}

function isMagic(bytes: Uint8Array, at: number): boolean {
  return MAGIC.every((value, i) => bytes[at + i] === value);
}

/** Returns true when a frame can end here: followed by a valid start, or by nothing. */
function mayEnd(bytes: Uint8Array, at: number): boolean {
  if (at === bytes.length) return true;
  const byte = bytes[at]!;
  if (byte === 0xff) return (bytes[at + 1]! & 0xfe) === 0xf8;
  // fLaC, ID3, TAG, APETAGEX
  if (byte !== 0x66 && byte !== 0x49 && byte !== 0x54 && byte !== 0x41) return false;
  return isMagic(bytes, at) || tagBytes(bytes.subarray(at, at + TAG_HEAD_BYTES)) > 0;
}

/**
 * Returns true for the header of a later frame of the same stream, which means that the one before it is
 * damaged.
 */
function isLater(next: FlacFrameHeader, before: FlacFrameHeader): boolean {
  return (
    next.number > before.number &&
    next.channels === before.channels &&
    next.bits === before.bits &&
    next.sampleRateHz === before.sampleRateHz
  );
}

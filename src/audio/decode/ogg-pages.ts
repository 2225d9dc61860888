/** A page of an Ogg stream (RFC 3533 §6). */
export interface OggPage {
  /** Bytes of the whole page. */
  readonly bytes: Uint8Array;
  /** True when its checksum is valid. */
  readonly intact: boolean;
  /** True when it begins with the rest of a packet of the page before. */
  readonly continued: boolean;
  readonly first: boolean;
  readonly last: boolean;
  /**
   * Position at the end of the page, in the codec's units; undefined when no packet ends in it, or when the
   * checksum of the page is wrong.
   */
  readonly granule: number | undefined;
  readonly serial: number;
  readonly sequence: number;
  /** Lengths of its packets' segments: a packet ends with one below 255. */
  readonly lacing: Uint8Array;
  readonly body: Uint8Array;
}

const HEADER_BYTES = 27;
const CAPTURE = [0x4f, 0x67, 0x67, 0x53];
const NO_GRANULE = 0xffff_ffff_ffff_ffffn;

/**
 * Splits bytes in any chunking into pages. Other data is skipped up to the next page. A page with a wrong
 * checksum is accepted when another one follows at its end: losing a second of speech for a wrong bit would
 * be worse. Holds back at most one page (64 KiB).
 */
export class OggPages {
  #held: Uint8Array = new Uint8Array(0);
  #strayBytes = 0;
  #wrongChecksums = 0;

  /** Bytes that belong to no page. */
  get strayBytes(): number {
    return this.#strayBytes;
  }

  /** Pages accepted with a wrong checksum. */
  get wrongChecksums(): number {
    return this.#wrongChecksums;
  }

  /** Adds bytes. @returns the pages that are now complete */
  push(bytes: Uint8Array): OggPage[] {
    return this.#run(bytes, false);
  }

  /** Ends the stream. @returns the last pages, and whether a page is cut off */
  end(): { pages: OggPage[]; cutOff: boolean } {
    const stray = this.#strayBytes;
    const pages = this.#run(new Uint8Array(0), true);
    return { pages, cutOff: this.#strayBytes > stray };
  }

  #run(chunk: Uint8Array, atEnd: boolean): OggPage[] {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    const pages: OggPage[] = [];
    let at = 0;
    while (at < bytes.length) {
      const wrongChecksums = this.#wrongChecksums;
      const length = this.#lengthAt(bytes, at, atEnd);
      if (length === 'more') break;
      const intact = this.#wrongChecksums === wrongChecksums;
      if (length > 0) pages.push(parsePage(bytes.subarray(at, at + length), intact));
      else this.#strayBytes += 1;
      at += length || 1;
    }
    // A copy, because the source may reuse its memory.
    this.#held = new Uint8Array(bytes.subarray(at));
    return pages;
  }

  /** Returns the length of the page that starts here; 0 without one; 'more' when more bytes are needed. */
  #lengthAt(bytes: Uint8Array, at: number, atEnd: boolean): number | 'more' {
    const more = atEnd ? 0 : 'more';
    const captured = startsPage(bytes, at);
    if (captured !== true) return captured === 'more' ? more : 0;
    if (bytes.length < at + HEADER_BYTES) return more;
    const table = at + HEADER_BYTES + bytes[at + 26]!;
    if (bytes.length < table) return more;
    let end = table;
    for (let i = at + HEADER_BYTES; i < table; i++) end += bytes[i]!;
    if (bytes.length < end) return more;
    if (checksum(bytes, at, end) !== new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 22, true)) {
      const follows = startsPage(bytes, end);
      if (follows === 'more' && (!atEnd || end < bytes.length)) return more;
      if (follows === false) return 0;
      this.#wrongChecksums += 1;
    }
    return end - at;
  }
}

/** Returns true for 'OggS' and version 0 at a position; 'more' when the bytes end before that is clear. */
function startsPage(bytes: Uint8Array, at: number): boolean | 'more' {
  for (let i = 0; i < 5; i++) {
    if (at + i >= bytes.length) return 'more';
    if (bytes[at + i] !== (CAPTURE[i] ?? 0)) return false;
  }
  return true;
}

function parsePage(bytes: Uint8Array, intact: boolean): OggPage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const granule = view.getBigUint64(6, true);
  const body = HEADER_BYTES + bytes[26]!;
  return {
    bytes,
    intact,
    continued: (bytes[5]! & 1) !== 0,
    first: (bytes[5]! & 2) !== 0,
    last: (bytes[5]! & 4) !== 0,
    granule: granule === NO_GRANULE || !intact ? undefined : Number(BigInt.asIntN(64, granule)),
    serial: view.getUint32(14, true),
    sequence: view.getUint32(18, true),
    lacing: bytes.subarray(HEADER_BYTES, body),
    body: bytes.subarray(body),
  };
}

/** Table of the CRC-32 with the polynomial 0x04c11db7, not reflected, from 0 (RFC 3533 §6, 6). */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let i = 0; i < 8; i++) crc = (crc << 1) ^ (crc < 0 ? 0x04c1_1db7 : 0);
  return crc >>> 0;
});

function checksum(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let i = from; i < to; i++) {
    // The checksum field itself counts as zeros.
    const byte = i - from >= 22 && i - from < 26 ? 0 : bytes[i]!;
    crc = (crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ byte]!;
  }
  return crc >>> 0;
}

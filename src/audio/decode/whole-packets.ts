import type { OggPage } from './ogg-pages.js';

const HEADER_BYTES = 27;
/** Maximum packet on a page; larger than any Opus packet. */
const MAX_PACKET_BYTES = 254 * 255;

/**
 * Makes pages in which every packet is complete, because prism-media's demuxer waits forever at a page whose
 * last packet continues on the next. Such a packet is joined and gets its own page.
 */
export class WholePackets {
  #part: Uint8Array[] = [];
  #partBytes = 0;
  #sequence: number | undefined;
  #lostPackets = 0;

  /** Number of packets with a missing part. */
  get lostPackets(): number {
    return this.#lostPackets;
  }

  /** Records a page that is handled elsewhere. */
  pass(page: OggPage): void {
    this.#sequence = page.sequence;
  }

  /** @returns the page itself when its packets are complete, otherwise its replacement */
  push(page: OggPage): Uint8Array[] {
    const expected = this.#sequence === undefined ? page.sequence : (this.#sequence + 1) >>> 0;
    this.#sequence = page.sequence;
    const { lacing, body } = page;
    const endsWhole = lacing.length === 0 || lacing.at(-1)! < 255;
    const joins = page.continued && page.sequence === expected && this.#partBytes > 0;
    if (!joins && this.#partBytes > 0) this.#drop();
    if (!page.continued && endsWhole) return [page.bytes];

    let [segment, offset] = [0, 0];
    const out: Uint8Array[] = [];
    if (page.continued) {
      while (segment < lacing.length && lacing[segment] === 255) offset += lacing[segment++]!;
      const ends = segment < lacing.length;
      if (ends) offset += lacing[segment++]!;
      if (joins) this.#keep(body.subarray(0, offset));
      else this.#lostPackets += ends ? 1 : 0;
      if (joins && ends && this.#partBytes > 0) out.push(...this.#finish(page));
      if (!ends) return out;
    }
    let lastWhole = lacing.length;
    while (lastWhole > segment && lacing[lastWhole - 1] === 255) lastWhole--;
    const bytes = lacing.subarray(segment, lastWhole).reduce((sum, value) => sum + value, 0);
    if (lastWhole > segment)
      out.push(buildPage(page, lacing.subarray(segment, lastWhole), [body.subarray(offset, offset + bytes)]));
    if (!endsWhole) this.#keep(body.subarray(offset + bytes));
    return out;
  }

  #keep(bytes: Uint8Array): void {
    this.#part.push(new Uint8Array(bytes));
    this.#partBytes += bytes.length;
    if (this.#partBytes > MAX_PACKET_BYTES) this.#drop();
  }

  #finish(page: OggPage): Uint8Array[] {
    const lacing = new Uint8Array(Math.floor(this.#partBytes / 255) + 1).fill(255);
    lacing[lacing.length - 1] = this.#partBytes % 255;
    const built = buildPage(page, lacing, this.#part);
    this.#part = [];
    this.#partBytes = 0;
    return [built];
  }

  #drop(): void {
    this.#lostPackets += 1;
    this.#part = [];
    this.#partBytes = 0;
  }
}

/**
 * Returns a copy of a page with other packets. Its checksum is not set, because prism-media does not check
 * it.
 */
export function buildPage(like: OggPage, lacing: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const head = Buffer.from(like.bytes.subarray(0, HEADER_BYTES));
  head[26] = lacing.length;
  return Buffer.concat([head, lacing, ...parts]);
}

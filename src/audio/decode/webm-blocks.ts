import { children, EBML, readElement, readInt, readUint, writeElement } from './ebml.js';
import { splitLaces } from './webm-laces.js';

/** A packet of the track, as an element that prism-media reads. */
export interface WebmBlock {
  /** A SimpleBlock without lacing. */
  readonly element: Uint8Array;
  /** Timestamp in units of the file; the same for all packets of a block. */
  readonly timestamp: number;
  /** Nanoseconds to discard: at its end, or if negative, at its start. */
  readonly discardNs: number;
}

/** Elements allowed in a segment or a cluster. Others are damage, or valid only with a plausible size. */
const KNOWN: ReadonlySet<number> = new Set(Object.values(EBML));
const CLUSTER = [0x1f, 0x43, 0xb6, 0x75];

/** Maximum block that is kept; an Opus packet is less than half of it. */
const MAX_BLOCK_BYTES = 2 ** 17;
/** Maximum size of an unknown element; a larger one counts as damage. */
const MAX_UNKNOWN_BYTES = 2 ** 20;

/**
 * Splits a WebM or Matroska file in any chunks into the packets of one track. Blocks in groups and laced
 * blocks, which prism-media drops silently, are converted to simple ones. After invalid elements it continues
 * at the next cluster. Holds back one block.
 */
export class WebmBlocks {
  readonly #track: number;
  #held: Uint8Array = new Uint8Array(0);
  #skip = 0;
  #clusterTime = 0;
  #astray = false;
  #started = false;
  #strayBytes = 0;
  #lostBlocks = 0;

  /** @param track number of the wanted track */
  constructor(track: number) {
    this.#track = track;
  }

  /** Number of invalid bytes. */
  get strayBytes(): number {
    return this.#strayBytes;
  }

  /** Number of blocks that could not be read. */
  get lostBlocks(): number {
    return this.#lostBlocks;
  }

  /** True when the stream ends within an element. */
  get isUnfinished(): boolean {
    return this.#held.length > 0 || this.#skip > 0;
  }

  /**
   * Adds bytes.
   * @returns their packets; `rest` starts where this file ends and another one begins
   */
  push(chunk: Uint8Array): { blocks: WebmBlock[]; rest?: Uint8Array } {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    const blocks: WebmBlock[] = [];
    let at = 0;
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      this.#skip -= skipped;
      at += skipped;
      if (at === bytes.length) break;
      if (this.#astray) {
        const found = nextCluster(bytes, at);
        this.#strayBytes += found - at;
        at = found;
        if (bytes.length - at < CLUSTER.length) break;
        this.#astray = false;
      }
      const element = readElement(bytes, at);
      if (element === 'more') break;
      if (element?.id === EBML.head && this.#started) {
        this.#held = new Uint8Array(0);
        return { blocks, rest: bytes.subarray(at) };
      }
      this.#started = true;
      const taken = element
        ? this.#take(bytes, at, element.id, element.size, element.headBytes, blocks)
        : 'astray';
      if (taken === 'more') break;
      if (taken === 'astray') {
        this.#astray = true;
        this.#strayBytes += 1;
      }
      at += taken === 'astray' ? 1 : taken;
    }
    // A copy, because the source may reuse its memory.
    this.#held = new Uint8Array(bytes.subarray(at));
    return { blocks };
  }

  /** @returns the number of bytes processed */
  #take(
    bytes: Uint8Array,
    at: number,
    id: number,
    size: number,
    headBytes: number,
    blocks: WebmBlock[],
  ): number | 'more' | 'astray' {
    if (id === EBML.segment || id === EBML.cluster) return headBytes;
    if (size > MAX_UNKNOWN_BYTES && !KNOWN.has(id)) return 'astray';
    const start = at + headBytes;
    const isOurs = id !== EBML.simpleBlock || bytes[start] === (0x80 | this.#track);
    if (id === EBML.simpleBlock && start === bytes.length) return 'more';
    const isRead = id === EBML.simpleBlock || id === EBML.blockGroup || id === EBML.timestamp;
    // A picture can be of any size; a block of our track that is not kept appears as a gap.
    if (!isRead || !isOurs || size > MAX_BLOCK_BYTES) {
      this.#skip = size;
      return headBytes;
    }
    const end = start + size;
    if (end > bytes.length) return 'more';
    const content = bytes.subarray(start, end);
    if (id === EBML.timestamp) this.#clusterTime = readUint(content);
    else if (id === EBML.simpleBlock) this.#block(content, 0, blocks, bytes.subarray(at, end));
    else {
      const fields = new Map([...children(content)].map((child) => [child.id, child.content]));
      const padding = fields.get(EBML.discardPadding);
      const block = fields.get(EBML.block);
      if (block) this.#block(block, padding?.length ? readInt(padding) : 0, blocks);
      else this.#lostBlocks += 1;
    }
    return end - at;
  }

  /** @param simple the original block, when it is a simple one */
  #block(content: Uint8Array, discardNs: number, blocks: WebmBlock[], simple?: Uint8Array): void {
    if (content.length < 4 || content[0] !== (0x80 | this.#track)) return;
    const relative = ((content[1]! << 24) | (content[2]! << 16)) >> 16;
    const timestamp = this.#clusterTime + relative;
    const lacing = (content[3]! >> 1) & 3;
    if (lacing === 0) {
      const element = simple ?? writeElement(EBML.simpleBlock, content);
      blocks.push({ element: new Uint8Array(element), timestamp, discardNs });
      return;
    }
    const laces = splitLaces(content.subarray(4), lacing);
    if (!laces) {
      this.#lostBlocks += 1;
      return;
    }
    const head = Uint8Array.of(content[0], content[1]!, content[2]!, content[3]! & ~6);
    laces.forEach((lace, i) => {
      const isLast = i === laces.length - 1;
      blocks.push({
        element: writeElement(EBML.simpleBlock, head, lace),
        timestamp,
        discardNs: isLast ? discardNs : 0,
      });
    });
  }
}

/**
 * Returns the position of a cluster, or of a possible incomplete one at the end; the end of the bytes without
 * one.
 */
function nextCluster(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(CLUSTER[0]!, from); at >= 0; at = bytes.indexOf(CLUSTER[0]!, at + 1))
    if (CLUSTER.every((value, i) => at + i >= bytes.length || bytes[at + i] === value)) return at;
  return bytes.length;
}

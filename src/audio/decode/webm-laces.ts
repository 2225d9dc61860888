/** Lacing types of a block (RFC 9559 §10.3). */
const XIPH = 1;
const FIXED = 2;

/**
 * Returns the packets of a laced block.
 * @param content the block after its header of four bytes
 * @param lacing the two lacing bits of its flags, 1 to 3
 * @returns undefined when the sizes do not add up
 */
export function splitLaces(content: Uint8Array, lacing: number): Uint8Array[] | undefined {
  const count = (content[0] ?? 0) + 1;
  let at = 1;
  let sizes: number[] = [];
  if (lacing === FIXED) {
    sizes = new Array<number>(count).fill((content.length - at) / count);
  } else {
    for (let i = 0; i < count - 1; i++) {
      const size = lacing === XIPH ? xiphSize(content, at) : ebmlSize(content, at, sizes.at(-1));
      if (!size) return undefined;
      sizes.push(size.value);
      at += size.bytes;
    }
    sizes.push(content.length - at - sizes.reduce((sum, size) => sum + size, 0));
  }
  if (at > content.length || sizes.some((size) => size < 0 || !Number.isInteger(size))) return undefined;
  return sizes.map((size) => content.subarray(at, (at += size)));
}

interface Size {
  readonly value: number;
  readonly bytes: number;
}

/** Reads a size coded as a row of 255s and a rest. */
function xiphSize(content: Uint8Array, at: number): Size | undefined {
  let value = 0;
  for (let i = at; i < content.length; i++) {
    value += content[i]!;
    if (content[i]! < 255) return { value, bytes: i + 1 - at };
  }
  return undefined;
}

/**
 * Reads a size: the first is absolute, the others are the difference from the one before, offset by half
 * their range.
 */
function ebmlSize(content: Uint8Array, at: number, before: number | undefined): Size | undefined {
  const bytes = Math.clz32(content[at] ?? 0) - 23;
  if (bytes > 8 || at + bytes > content.length) return undefined;
  let value = content[at]! & (0xff >> bytes);
  for (let i = 1; i < bytes; i++) value = value * 256 + content[at + i]!;
  return { value: before === undefined ? value : before + value - (2 ** (7 * bytes - 1) - 1), bytes };
}

/** Maximum bytes that {@link tagBytes} needs. */
export const TAG_HEAD_BYTES = 32;

/**
 * Returns the length of a tag between or around frames: ID3v2, ID3v1, APEv2.
 * @param head bytes from the tag's start, preferably TAG_HEAD_BYTES
 * @returns the whole tag in bytes, or 0 when none starts here
 */
export function tagBytes(head: Uint8Array): number {
  const word = String.fromCharCode(...head.subarray(0, 8));
  if (word.startsWith('ID3')) return id3v2Bytes(head);
  if (word.startsWith('TAG')) return word[3] === '+' ? 227 : 128;
  if (word === 'APETAGEX' && head.length >= TAG_HEAD_BYTES) {
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    // The same 32 bytes come before and after the items; the footer is the end of the tag.
    const isHeader = (view.getUint32(20, true) & 0x2000_0000) !== 0;
    return TAG_HEAD_BYTES + (isHeader ? view.getUint32(12, true) : 0);
  }
  return 0;
}

/**
 * Returns the length of an ID3v2 tag (id3.org, ID3v2.4 §3.1): its size field has seven bits per byte and
 * excludes header and footer.
 */
function id3v2Bytes(head: Uint8Array): number {
  if (head.length < 10 || head[3] === 0xff || head[4] === 0xff) return 0;
  let size = 0;
  for (let i = 6; i < 10; i++) {
    if (head[i]! & 0x80) return 0;
    size = (size << 7) | head[i]!;
  }
  return size + (head[5]! & 0x10 ? 20 : 10);
}

/**
 * Returns true when a sound starts with an ID3v2 tag.
 * @param head the first bytes
 */
export function startsWithId3(head: Uint8Array): boolean {
  return id3v2Bytes(head) > 0 && head[0] === 0x49 && head[1] === 0x44 && head[2] === 0x33;
}

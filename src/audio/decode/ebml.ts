/** Header of an element in a Matroska or WebM file (RFC 8794). */
export interface EbmlElement {
  readonly id: number;
  /** Size of its content in bytes; Infinity when it lasts until an element that cannot be inside it. */
  readonly size: number;
  readonly headBytes: number;
}

/** Elements that are read (RFC 9559 §5). */
export const EBML = {
  head: 0x1a45dfa3,
  segment: 0x18538067,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  duration: 0x4489,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackType: 0x83,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  codecDelay: 0x56aa,
  encodings: 0x6d80,
  audio: 0xe1,
  channels: 0x9f,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
  blockGroup: 0xa0,
  block: 0xa1,
  discardPadding: 0x75a2,
  void: 0xec,
  crc: 0xbf,
  seekHead: 0x114d9b74,
  cues: 0x1c53bb6b,
  chapters: 0x1043a770,
  tags: 0x1254c367,
  attachments: 0x1941a469,
  position: 0xa7,
  previousSize: 0xab,
} as const;

/**
 * Reads an element's header.
 * @returns undefined when it is invalid; 'more' when the bytes end within it
 */
export function readElement(bytes: Uint8Array, at: number): EbmlElement | 'more' | undefined {
  if (at >= bytes.length) return 'more';
  const idBytes = Math.clz32(bytes[at]!) - 23;
  if (idBytes > 4) return undefined;
  const sizeAt = at + idBytes;
  if (sizeAt >= bytes.length) return 'more';
  const sizeBytes = Math.clz32(bytes[sizeAt]!) - 23;
  if (sizeBytes > 8) return undefined;
  if (sizeAt + sizeBytes > bytes.length) return 'more';
  const mask = 0xff >> sizeBytes;
  const first = bytes[sizeAt]! & mask;
  let size = first;
  let isUnknown = first === mask;
  for (let i = 1; i < sizeBytes; i++) {
    size = size * 256 + bytes[sizeAt + i]!;
    isUnknown &&= bytes[sizeAt + i] === 0xff;
  }
  return {
    id: readUint(bytes.subarray(at, sizeAt)),
    size: isUnknown ? Infinity : size,
    headBytes: idBytes + sizeBytes,
  };
}

/** Returns the complete child elements of a content. */
export function* children(content: Uint8Array): Generator<{ id: number; content: Uint8Array }> {
  for (let at = 0; at < content.length;) {
    const element = readElement(content, at);
    if (!element || element === 'more') return;
    const end = at + element.headBytes + element.size;
    if (end > content.length) return;
    yield { id: element.id, content: content.subarray(at + element.headBytes, end) };
    at = end;
  }
}

/** Reads an unsigned number of up to eight bytes. */
export function readUint(content: Uint8Array): number {
  return content.reduce((value, byte) => value * 256 + byte, 0);
}

/** Reads a signed number of up to eight bytes. */
export function readInt(content: Uint8Array): number {
  const value = readUint(content);
  return content[0]! & 0x80 ? value - 256 ** content.length : value;
}

/** Reads a float of four or eight bytes; 0 for any other length. */
export function readFloat(content: Uint8Array): number {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  return content.length === 4 ? view.getFloat32(0) : content.length === 8 ? view.getFloat64(0) : 0;
}

/** Returns an element with the given content and a size of eight bytes. */
export function writeElement(id: number, ...content: readonly Uint8Array[]): Buffer {
  const idBytes = id > 0xff_ffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1;
  const head = Buffer.alloc(idBytes + 8);
  head.writeUIntBE(id, 0, idBytes);
  head[idBytes] = 1;
  head.writeUIntBE(
    content.reduce((sum, part) => sum + part.length, 0),
    idBytes + 2,
    6,
  );
  return Buffer.concat([head, ...content]);
}

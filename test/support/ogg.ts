/** The pages of an Ogg file: views, so that changing them changes it. */
export function pagesOf(bytes: Buffer): Buffer[] {
  const pages: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const segments = bytes[at + 26]!;
    const body = bytes.subarray(at + 27, at + 27 + segments).reduce((sum, value) => sum + value, 0);
    pages.push(bytes.subarray(at, at + 27 + segments + body));
    at += 27 + segments + body;
  }
  return pages;
}

/** Sets a page's checksum right (RFC 3533 §6), bit by bit. */
export function oggChecksum(page: Buffer): void {
  page.writeUInt32LE(0, 22);
  let crc = 0;
  for (const byte of page) {
    crc ^= byte << 24;
    for (let i = 0; i < 8; i++) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  }
  page.writeUInt32LE(crc >>> 0, 22);
}

/** A METADATA_BLOCK_PICTURE comment: base64 of a FLAC picture block. */
export function flacPicture(bytes: number): string {
  const mime = Buffer.from('image/png');
  const uint32 = (value: number): Buffer => {
    const out = Buffer.alloc(4);
    out.writeUInt32BE(value);
    return out;
  };
  const head = [uint32(3), uint32(mime.length), mime, uint32(0), ...[1, 1, 24, 0, bytes].map(uint32)];
  return Buffer.concat([...head, Buffer.alloc(bytes, 0x5a)]).toString('base64');
}

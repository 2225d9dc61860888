/** What a frame holds (RFC 6455 §11.8). */
export type Opcode = 0x1 | 0x2 | 0x9;

/** The longest payload whose length fits two bytes. */
const MAX_PAYLOAD_BYTES = 65_535;

/** Bytes of a frame of a server: one head and its payload. */
export function frameBytes(payloadBytes: number): number {
  return payloadBytes + (payloadBytes < 126 ? 2 : 4);
}

/**
 * Writes one whole, final, unmasked frame (RFC 6455 §5.2).
 * @param payload at most 65,535 bytes
 * @returns where the next may begin
 * @throws RangeError when the payload is longer
 */
export function writeFrame(target: Buffer, at: number, opcode: Opcode, payload: Uint8Array): number {
  const { length } = payload;
  if (length > MAX_PAYLOAD_BYTES)
    throw new RangeError(`A frame of ${length} bytes is beyond two bytes of length.`);
  target[at] = 0x80 | opcode;
  if (length < 126) {
    target[at + 1] = length;
  } else {
    target[at + 1] = 126;
    target[at + 2] = length >> 8;
    target[at + 3] = length & 0xff;
  }
  const head = length < 126 ? 2 : 4;
  target.set(payload, at + head);
  return at + head + length;
}

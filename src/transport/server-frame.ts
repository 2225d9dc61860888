/** Frame type (RFC 6455 §11.8). */
export type Opcode = 0x1 | 0x2 | 0x9 | 0xa;

/** Maximum payload whose length fits two bytes. */
const MAX_PAYLOAD_BYTES = 65_535;

/** Returns the size of a server's frame: one head and its payload. */
export function frameBytes(payloadBytes: number): number {
  return payloadBytes + (payloadBytes < 126 ? 2 : 4);
}

/**
 * Writes the head of a whole, final, unmasked frame (RFC 6455 §5.2).
 * @param length of the payload, at most 65,535 bytes
 * @returns offset of the payload
 * @throws RangeError when the payload is longer
 */
export function writeHead(target: Buffer, at: number, opcode: Opcode, length: number): number {
  if (length > MAX_PAYLOAD_BYTES)
    throw new RangeError(`A frame of ${length} bytes is beyond two bytes of length.`);
  target[at] = 0x80 | opcode;
  if (length < 126) {
    target[at + 1] = length;
    return at + 2;
  }
  target[at + 1] = 126;
  target[at + 2] = length >> 8;
  target[at + 3] = length & 0xff;
  return at + 4;
}

/**
 * Writes a frame: its head and its payload.
 * @returns offset after the frame
 * @throws RangeError as `writeHead`
 */
export function writeFrame(target: Buffer, at: number, opcode: Opcode, payload: Uint8Array): number {
  const start = writeHead(target, at, opcode, payload.length);
  target.set(payload, start);
  return start + payload.length;
}

/**
 * A frame as a WebSocket client sends it: whole and masked (RFC 6455 §5.2).
 * @param opcode 1 text, 8 close, 10 pong
 * @param mask four bytes
 */
export function clientFrame(opcode: number, payload: Uint8Array, mask: Uint8Array): Buffer {
  const { length } = payload;
  const head =
    length < 126 ? [0x80 | opcode, 0x80 | length] : [0x80 | opcode, 0xfe, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.from(head), mask, payload.map((byte, i) => byte ^ mask[i & 3]!)]);
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameBytes, writeFrame, type Opcode } from '../../src/transport/server-frame.js';

/** Reads frames as RFC 6455 §5.2 draws them, without anything of the writer's. */
function readFrames(bytes: Buffer): { final: boolean; masked: boolean; opcode: number; payload: Buffer }[] {
  const frames = [];
  for (let at = 0; at < bytes.length;) {
    const [first, second] = [bytes.readUInt8(at), bytes.readUInt8(at + 1)];
    const short = second & 0x7f;
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short;
    const from = at + (short === 126 ? 4 : 2);
    expect(short === 126 && length < 126, 'the shortest form is demanded').toBe(false);
    frames.push({
      final: (first & 0x80) !== 0,
      masked: (second & 0x80) !== 0,
      opcode: first & 0x7f,
      payload: bytes.subarray(from, from + length),
    });
    at = from + length;
  }
  return frames;
}

describe('frames of a server', () => {
  const frame = fc.record({
    opcode: fc.constantFrom<Opcode>(0x1, 0x2, 0x9),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 130 }),
      fc
        .constantFrom(0, 1, 125, 126, 127, 255, 256, 1287, 65_535)
        .map((length) => new Uint8Array(length).fill(7)),
    ),
  });

  it('hold what was put in, whole, final and unmasked, one behind the other', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), (frames) => {
        const total = frames.reduce((sum, { payload }) => sum + frameBytes(payload.length), 0);
        const bytes = Buffer.alloc(total, 0xff);
        let at = 0;
        for (const { opcode, payload } of frames) at = writeFrame(bytes, at, opcode, payload);
        expect(at).toBe(total);
        const read = readFrames(bytes);
        expect(read.map(({ opcode }) => opcode)).toEqual(frames.map(({ opcode }) => opcode));
        for (const [i, { final, masked, payload }] of read.entries()) {
          expect([final, masked]).toEqual([true, false]);
          expect(payload.equals(frames[i]!.payload)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('cannot be longer than two bytes of length tell', () => {
    const payload = new Uint8Array(65_536);
    expect(() => writeFrame(Buffer.alloc(70_000), 0, 0x2, payload)).toThrow(RangeError);
  });
});

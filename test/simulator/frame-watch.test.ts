import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameWatch } from '../../src/simulator/frame-watch.js';

/** A frame of RFC 6455 §5.2 as a server sends it, or masked as a client does. */
function frame(opcode: number, length: number, masked = false): Buffer {
  const head =
    length < 126
      ? [length]
      : length < 65_536
        ? [126, length >> 8, length & 0xff]
        : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff];
  if (masked) head[0]! |= 0x80;
  return Buffer.concat([
    Buffer.from([0x80 | opcode, ...head, ...(masked ? [1, 2, 3, 4] : [])]),
    Buffer.alloc(length, 0x88),
  ]);
}

const anyFrame = fc.record({
  opcode: fc.constantFrom(0x0, 0x1, 0x2, 0x8, 0x9),
  length: fc.constantFrom(0, 1, 125, 126, 300, 65_535, 65_536),
  masked: fc.boolean(),
});

describe('FrameWatch', () => {
  it('counts frames in any chunking, and knows where one ends', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (frames, at) => {
          const all = Buffer.concat(
            frames.map(({ opcode, length, masked }) => frame(opcode, length, masked)),
          );
          const ends = new Set([0]);
          let end = 0;
          for (const { opcode, length, masked } of frames)
            ends.add((end += frame(opcode, length, masked).length));
          const cuts = [...new Set(at.map((cut) => cut % (all.length + 1))), all.length].sort(
            (a, b) => a - b,
          );
          const watch = new FrameWatch();
          let from = 0;
          for (const cut of cuts) {
            watch.push(all.subarray(from, cut));
            from = cut;
            expect(watch.insideFrame).toBe(!ends.has(cut));
          }
          expect(watch.frames).toBe(frames.length);
          expect(watch.continuations).toBe(frames.filter(({ opcode }) => opcode === 0).length);
          expect(watch.closes).toBe(frames.filter(({ opcode }) => opcode === 8).length);
        },
      ),
      { numRuns: 60 },
    );
  });
});

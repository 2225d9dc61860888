import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameBoundary } from '../../src/transport/frame-boundary.js';
import { clientFrame } from '../support/client-frames.js';

const sizes = [1, 2, 125, 126, 127, 2047, 65_535];
const frame = fc
  .tuple(fc.oneof(fc.nat(300), fc.constantFrom(...sizes)), fc.uint8Array({ minLength: 4, maxLength: 4 }))
  .map(([length, mask]) => clientFrame(1, Buffer.alloc(length, 7), mask));

describe('the boundary between two incoming frames', () => {
  it('is where the frames end, in any chunking', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames);
          const ends = new Set([0]);
          let end = 0;
          for (const { length } of frames) ends.add((end += length));
          const boundary = new FrameBoundary(true);
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            const next = Math.min(bytes.length, at + cuts[i % cuts.length]!);
            boundary.push(bytes.subarray(at, next));
            at = next;
            expect(boundary.clean).toBe(ends.has(at));
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('is nowhere until bytes have come whose beginning is known', () => {
    const boundary = new FrameBoundary(false);
    expect(boundary.clean).toBe(false);
    boundary.push(clientFrame(1, Buffer.from('A|B\n'), Buffer.alloc(4)));
    expect(boundary.clean).toBe(true);
  });
});

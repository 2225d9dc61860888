import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Resynchroniser } from '../../src/transport/resynchroniser.js';
import { clientFrame } from '../support/client-frames.js';

/** Whatever an avatar says: lines, lines that were cut off at 2,047 bytes, and answers to marks. */
const mask = fc.uint8Array({ minLength: 4, maxLength: 4 });
const line = fc
  .oneof(
    fc.string({ unit: 'grapheme', maxLength: 60 }),
    fc.string({ maxLength: 600 }),
    fc.constant('LIPSYNC_EVENT_START|0'),
    fc.constant('長い'.repeat(200)),
  )
  .map((text) => Buffer.from(`${text.replace(/\p{Cc}/gu, '.')}\n`).subarray(0, 2047));
const cutLine = fc.constant(Buffer.from('語'.repeat(700)).subarray(0, 2047));
const mark = fc
  .tuple(fc.constantFrom('mark', 'window'), fc.nat(1e9))
  .map(([word, id]) => Buffer.from(`${word}-${id}`));
const frame = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(line, mask).map(([bytes, key]) => clientFrame(1, bytes, key)) },
  { weight: 1, arbitrary: fc.tuple(cutLine, mask).map(([bytes, key]) => clientFrame(1, bytes, key)) },
  { weight: 4, arbitrary: fc.tuple(mark, mask).map(([bytes, key]) => clientFrame(10, bytes, key)) },
);

function cutInto(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length]!;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

describe('finding the next message where the beginning is lost', () => {
  it('passes over the rest of the torn message, and nothing else, in any chunking', () => {
    fc.assert(
      fc.property(
        frame,
        fc.array(frame, { minLength: 2, maxLength: 6 }),
        fc.nat(),
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 }),
        (torn, frames, cut, sizes) => {
          const rest = torn.subarray(1 + (cut % torn.length));
          const whole = Buffer.concat(frames);
          const resynchroniser = new Resynchroniser();
          const chunks = cutInto(Buffer.concat([rest, whole]), sizes);
          let out: Buffer | undefined;
          let after = Buffer.alloc(0);
          for (const chunk of chunks) {
            if (out) after = Buffer.concat([after, chunk]);
            else out = resynchroniser.push(chunk);
          }
          expect(out).toBeDefined();
          expect(Buffer.concat([out!, after]).equals(whole)).toBe(true);
          expect(resynchroniser.skippedBytes).toBe(rest.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('loses nothing where nothing was torn', () => {
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), (frames) => {
        const whole = Buffer.concat(frames);
        const resynchroniser = new Resynchroniser();
        expect(resynchroniser.push(whole)?.equals(whole)).toBe(true);
        expect(resynchroniser.skippedBytes).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('is in step with the first whole message, even when the next is unfinished', () => {
    const key = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
    const first = clientFrame(1, Buffer.from('AVATAR|START\n'), key);
    const second = clientFrame(1, Buffer.from('CURRENT_TIME|12|30\n'), key);
    const resynchroniser = new Resynchroniser();
    expect(resynchroniser.push(first.subarray(5))).toBeUndefined();
    const out = resynchroniser.push(Buffer.concat([second, first.subarray(0, 9)]));
    expect(out?.subarray(0, second.length).equals(second)).toBe(true);
  });

  it('does not change the bytes it is given', () => {
    const bytes = clientFrame(1, Buffer.from('KEY|a\n'), Buffer.from([1, 2, 3, 4]));
    const before = Buffer.from(bytes);
    new Resynchroniser().push(bytes);
    expect(bytes.equals(before)).toBe(true);
  });

  it('keeps no more than a bounded part of bytes that are no messages', () => {
    const resynchroniser = new Resynchroniser();
    for (let i = 0; i < 100; i += 1) expect(resynchroniser.push(Buffer.alloc(1000, 0x20))).toBeUndefined();
    expect(resynchroniser.skippedBytes).toBeGreaterThan(80_000);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveQueue } from '../../src/audio/live-queue.js';

const block = (from: number, length: number): Int16Array => Int16Array.from({ length }, (_, i) => from + i);

describe('LiveQueue', () => {
  it('gives what came, in order, and at most as much as is wanted', () => {
    const queue = new LiveQueue({ maxSamples: 100 });
    queue.push(block(0, 10));
    queue.push(block(10, 5));
    expect([...queue.take(4)!]).toEqual([0, 1, 2, 3]);
    expect([...queue.take()!]).toEqual([4, 5, 6, 7, 8, 9]);
    expect([...queue.take(5)!]).toEqual([10, 11, 12, 13, 14]);
    expect(queue.take()).toBeUndefined();
  });

  it('drops the oldest down to what is worth keeping when it overflows', () => {
    const queue = new LiveQueue({ maxSamples: 20, keepSamples: 8 });
    expect(queue.push(block(0, 15))).toBe(0);
    expect(queue.push(block(15, 10))).toBe(17);
    expect(queue.droppedSamples).toBe(17);
    expect([...queue.take()!]).toEqual([17, 18, 19, 20, 21, 22, 23, 24]);
  });

  it('waits for sound, and wakes at its end', async () => {
    const queue = new LiveQueue({ maxSamples: 20 });
    const first = queue.next();
    queue.push(block(0, 2));
    expect([...(await first)!]).toEqual([0, 1]);
    const second = queue.next();
    queue.end();
    expect(await second).toBeUndefined();
    expect(queue.push(block(0, 2))).toBe(0);
    expect(await queue.next()).toBeUndefined();
  });

  it('gives what is left before its error, and keeps the first error', async () => {
    const queue = new LiveQueue({ maxSamples: 20 });
    queue.push(block(0, 1));
    queue.end(new Error('unplugged'));
    queue.end(new Error('later'));
    expect([...(await queue.next())!]).toEqual([0]);
    await expect(queue.next()).rejects.toThrow('unplugged');
  });

  it('accounts for every sample: in = out + dropped + queued', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ push: fc.nat(50), take: fc.nat(50) }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 0, max: 120 }),
        (steps, maxSamples, keepSamples) => {
          const queue = new LiveQueue({ maxSamples, keepSamples });
          let pushed = 0;
          let taken = 0;
          let next = 0;
          for (const step of steps) {
            queue.push(block(pushed, step.push));
            pushed += step.push;
            expect(queue.queuedSamples).toBeLessThanOrEqual(maxSamples);
            const got = step.take > 0 ? queue.take(step.take) : undefined;
            if (!got) continue;
            taken += got.length;
            // Always forward, never a sample twice.
            expect(got[0]).toBeGreaterThanOrEqual(next);
            next = got.at(-1)! + 1;
          }
          expect(pushed).toBe(taken + queue.droppedSamples + queue.queuedSamples);
        },
      ),
    );
  });
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SampleQueue } from '../../src/audio/sample-queue.js';

it('a queue of samples gives what an array would, however it is filled and taken from', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('push' as const), count: fc.nat(30) }),
    fc.record({ do: fc.constant('unshift' as const), count: fc.nat(30) }),
    fc.record({ do: fc.constant('take' as const), count: fc.nat(50) }),
    fc.record({ do: fc.constant('takeBlock' as const), count: fc.nat(50) }),
    fc.record({ do: fc.constant('dropTo' as const), count: fc.nat(60) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const queue = new SampleQueue();
      let model: number[] = [];
      let next = 1;
      for (const { do: what, count } of steps) {
        const fresh = Array.from({ length: count }, () => next++ % 30_000);
        if (what === 'push') {
          queue.push(Int16Array.from(fresh));
          model.push(...fresh);
        } else if (what === 'unshift') {
          queue.unshift(Int16Array.from(fresh));
          model.unshift(...fresh);
        } else if (what === 'dropTo') {
          expect(queue.dropTo(count)).toBe(Math.max(0, model.length - count));
          model = model.slice(Math.max(0, model.length - count));
        } else {
          const taken = queue[what](count);
          const length = taken?.length ?? 0;
          if (what === 'take') expect(length).toBe(Math.min(count, model.length));
          else expect(length > 0).toBe(count > 0 && model.length > 0);
          expect([...(taken ?? [])]).toEqual(model.splice(0, length));
        }
        expect(queue.samples).toBe(model.length);
      }
    }),
  );
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RoundTrips } from '../../src/agent/round-trips.js';

it('tells of the last 64 round trips what sorting them tells', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 200 }), (all) => {
      const trips = new RoundTrips();
      expect(trips.statistics).toBe(undefined);
      for (const ms of all) trips.add(ms);
      const sorted = all.slice(-64).sort((a, b) => a - b);
      expect(trips.statistics).toEqual({
        count: all.length,
        lastMs: all.at(-1),
        minMs: sorted[0],
        medianMs: sorted[Math.floor(sorted.length / 2)],
        maxMs: sorted.at(-1),
        jitterMs: sorted[Math.floor(sorted.length * 0.95)]! - sorted[0]!,
      });
    }),
  );
});

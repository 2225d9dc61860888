import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';

/** Holds the event loop, as heavy work does. */
function block(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

it('never calls back before the delay is over, also when the timer is set late in a turn of the event loop', async () => {
  const earlyMs: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    block(5);
    await Promise.all(
      [0.2, 1.5, 2.9, 4, 7.3].map((delayMs) => {
        const dueMs = systemClock.nowMs() + delayMs;
        return new Promise<void>((done) =>
          systemClock.after(delayMs, () => {
            earlyMs.push(dueMs - systemClock.nowMs());
            done();
          }),
        );
      }),
    );
  }
  expect(Math.max(...earlyMs)).toBeLessThanOrEqual(0);
});

it('does not call back after it was cancelled', async () => {
  let called = false;
  const timer = systemClock.after(1, () => (called = true));
  timer.cancel();
  await new Promise((later) => setTimeout(later, 20));
  expect(called).toBe(false);
});

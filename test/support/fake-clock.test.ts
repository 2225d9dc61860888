import { describe, expect, it } from 'vitest';
import { delay } from '../../src/base/clock.js';
import { FakeClock } from './fake-clock.js';

describe('FakeClock', () => {
  it('fires timers at their own moments, in order, and those set meanwhile too', () => {
    const clock = new FakeClock(0);
    const fired: string[] = [];
    const note = (name: string) => () => void fired.push(`${name}@${clock.nowMs()}`);
    clock.after(30, note('c'));
    clock.after(10, () => {
      note('a')();
      clock.after(10, note('b'));
    });
    clock.after(10, note('a2'));
    clock.after(40, note('late')).cancel();
    clock.advanceSync(35);
    expect(fired).toEqual(['a@10', 'a2@10', 'b@20', 'c@30']);
    expect(clock.nowMs()).toBe(35);
    expect(clock.pendingTimers).toBe(0);
  });

  it('lets promises run between timers', async () => {
    const clock = new FakeClock();
    const startMs = clock.nowMs();
    const seen: number[] = [];
    const loop = (async () => {
      for (let i = 0; i < 3; i++) {
        await delay(clock, 10);
        seen.push(clock.nowMs() - startMs);
      }
    })();
    await clock.advance(100);
    await loop;
    expect(seen).toEqual([10, 20, 30]);
  });

  it('fires what a stall made late at the time after the stall', async () => {
    const clock = new FakeClock(0);
    const fired: number[] = [];
    clock.after(10, () => fired.push(clock.nowMs()));
    await clock.stall(3000);
    expect(fired).toEqual([3000]);
  });
});

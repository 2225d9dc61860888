import { describe, expect, it } from 'vitest';
import { Watchdog } from '../../src/source/watchdog.js';
import { FakeClock } from '../support/fake-clock.js';

function watched(limitMs: number): { clock: FakeClock; watchdog: Watchdog; hungAtMs: number[] } {
  const clock = new FakeClock(1000);
  const hungAtMs: number[] = [];
  const watchdog = new Watchdog(clock, limitMs, () => hungAtMs.push(clock.nowMs()));
  return { clock, watchdog, hungAtMs };
}

describe('Watchdog', () => {
  it('tells once, when nothing has come for its time', () => {
    const { clock, hungAtMs } = watched(5000);
    clock.advanceSync(60_000);
    expect(hungAtMs).toEqual([6000]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is quiet for as long as something comes, and counts from what came last', () => {
    const { clock, watchdog, hungAtMs } = watched(5000);
    for (let i = 0; i < 100; i++) {
      clock.advanceSync(4900);
      watchdog.feed();
      expect(clock.pendingTimers).toBe(1);
    }
    expect(hungAtMs).toEqual([]);
    const fedAtMs = clock.nowMs();
    clock.advanceSync(60_000);
    expect(hungAtMs).toEqual([fedAtMs + 5000]);
  });

  it('gives what may lie there unread its time anew when this process itself stood still', async () => {
    const { clock, hungAtMs } = watched(5000);
    clock.advanceSync(4000);
    await clock.stall(3_600_000);
    expect(hungAtMs).toEqual([]);
    const awakeMs = clock.nowMs();
    clock.advanceSync(60_000);
    expect(hungAtMs).toEqual([awakeMs + 5000]);
  });

  it('tells nothing more once it is stopped', () => {
    const { clock, watchdog, hungAtMs } = watched(5000);
    watchdog.stop();
    watchdog.stop();
    expect(clock.pendingTimers).toBe(0);
    clock.advanceSync(60_000);
    expect(hungAtMs).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { TimerWheel } from '../../src/speech/timer-wheel.js';
import { FakeClock } from '../support/fake-clock.js';

describe('Wheel', () => {
  it('runs a task in the first slot at or after its time, with one timer for all', () => {
    const clock = new FakeClock(1001);
    const wheel = new TimerWheel(clock);
    const ran: [string, number][] = [];
    for (const [name, dueMs] of [
      ['a', 1003],
      ['b', 1005],
      ['c', 1005.1],
      ['d', 1234],
    ] as const) {
      wheel.at(dueMs, (nowMs) => ran.push([name, nowMs]));
    }
    expect(clock.pendingTimers).toBe(1);
    clock.advanceSync(500);
    expect(ran).toEqual([
      ['a', 1005],
      ['b', 1005],
      ['c', 1010],
      ['d', 1235],
    ]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('takes a boundary for itself, where it is missed by no more than rounding', () => {
    const clock = new FakeClock(0);
    const wheel = new TimerWheel(clock);
    const ran: number[] = [];
    expect(0.1 * 3 * 50).toBeGreaterThan(15);
    wheel.at(0.1 * 3 * 50, (nowMs) => ran.push(nowMs));
    clock.advanceSync(100);
    expect(ran).toEqual([15]);
  });

  it('aligns a time to the next slot boundary, and a boundary to itself', () => {
    const wheel = new TimerWheel(new FakeClock());
    expect([1000, 1000.1, 1002, 1004.9, 1005].map((ms) => wheel.align(ms))).toEqual([
      1000, 1005, 1005, 1005, 1005,
    ]);
  });

  it('stays on its slots for an hour: a task that asks for its next turn does not drift', () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    let turns = 0;
    const step = (): void => {
      turns += 1;
      wheel.at(1000 + turns * 40, step);
    };
    wheel.at(1000, step);
    clock.advanceSync(3_600_000);
    expect(turns).toBe(90_001);
  });

  it('runs everything overdue after a stall, once, in order', async () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    const ran: number[] = [];
    for (const n of [3, 1, 2]) wheel.at(1000 + n * 100, () => ran.push(n));
    await clock.stall(5000);
    expect(ran).toEqual([1, 2, 3]);
  });

  it('does not run what was called off, and stops its timer when nothing is left', () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    let ran = false;
    const task = wheel.at(1100, () => (ran = true));
    wheel.at(1050, () => undefined);
    task.cancel();
    clock.advanceSync(1000);
    expect(ran).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it('runs a task at the moment for which it was asked last, once for each time, and again when it asks itself', () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    const ran: number[] = [];
    const task = wheel.task((nowMs) => {
      ran.push(nowMs);
      if (nowMs < 1200) task.at(nowMs + 40);
    });
    for (const dueMs of [1050, 1300, 1100, 1050, 1100]) task.at(dueMs);
    clock.advanceSync(1000);
    expect(ran).toEqual([1100, 1140, 1180, 1220]);
    task.at(2100);
    task.cancel();
    task.at(2200);
    clock.advanceSync(1000);
    expect(ran.slice(4)).toEqual([2200]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('runs the others when a task throws, and reports it', () => {
    const clock = new FakeClock();
    const errors: unknown[] = [];
    const wheel = new TimerWheel(clock, { onError: (error) => errors.push(error) });
    let ran = false;
    wheel.at(1005, () => {
      throw new Error('broken');
    });
    wheel.at(1005, () => (ran = true));
    clock.advanceSync(10);
    expect(ran).toBe(true);
    expect(String(errors[0])).toMatch(/broken/);
  });

  it('tells how late it woke', async () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    const lateness: number[] = [];
    wheel.observeLateness((ms) => lateness.push(ms));
    wheel.at(1005, () => undefined);
    await clock.stall(12);
    expect(lateness).toEqual([7]);
  });
});

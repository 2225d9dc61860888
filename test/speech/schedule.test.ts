import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Schedule } from '../../src/speech/schedule.js';

describe('Schedule', () => {
  it('lets the first frame go at any time, and the next while the agent holds no more than the lead', () => {
    const schedule = new Schedule();
    expect(schedule.maySend(1000, 0)).toBe(true);
    for (let i = 0; i < 4; i += 1) {
      expect(schedule.maySend(1000, 1920)).toBe(true);
      schedule.sent(640, 1000);
    }
    expect(schedule.maySend(1000, 1920)).toBe(false);
    expect(schedule.nextDueMs(1920)).toBe(1040);
    expect(schedule.maySend(1040, 1920)).toBe(true);
  });

  it('does not drift: a frame is due at its place on one line, however late the ones before it were', () => {
    const schedule = new Schedule();
    schedule.sent(640, 0);
    for (let i = 1; i < 90_000; i += 1) {
      const dueMs = schedule.nextDueMs(320);
      expect(dueMs).toBeCloseTo(i * 40 - 20, 6);
      schedule.sent(640, dueMs + (i % 7));
    }
  });

  it('plays no more than was sent, and says how long it has been dry', () => {
    const schedule = new Schedule();
    schedule.sent(1600, 500);
    const at = (ms: number): number[] => [
      schedule.playedSamples(ms),
      schedule.heldSamples(ms),
      schedule.dryMs(ms),
    ];
    expect(at(550)).toEqual([800, 800, 0]);
    expect(at(700)).toEqual([1600, 0, 100]);
    expect(schedule.sent(640, 700)).toBe(100);
    expect(schedule.heldSamples(720)).toBe(320);
  });

  it('begins no earlier than a given slot when it anchors', () => {
    const schedule = new Schedule();
    schedule.sent(640, 1002, 1005);
    expect(schedule.nextDueMs(0)).toBe(1045);
    expect(schedule.playedSamples(1004)).toBe(0);
  });

  it('keeps what an agent had not read ahead of it when it reads again', () => {
    const schedule = new Schedule();
    schedule.sent(16_000, 0);
    schedule.correct(4000, 5000);
    expect(schedule.heldSamples(5000)).toBe(12_000);
    expect(schedule.timeOf(16_000)).toBe(5750);
  });

  it('never holds more than lead + a frame, never loses a sample, and never plays backwards (any wake-ups)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.1, max: 400, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 0, max: 500 }),
        (steps, leadMs) => {
          const schedule = new Schedule();
          let nowMs = 0;
          let played = 0;
          let sent = 0;
          for (const step of steps) {
            nowMs += step;
            while (schedule.maySend(nowMs, leadMs * 16)) {
              schedule.sent(640, nowMs);
              sent += 640;
            }
            const heldSamples = schedule.heldSamples(nowMs);
            const playedSamples = schedule.playedSamples(nowMs);
            expect(heldSamples).toBeLessThanOrEqual(leadMs * 16 + 640 + 1e-6);
            expect(playedSamples).toBeGreaterThanOrEqual(played - 1e-6);
            expect(schedule.sentSamples).toBe(sent);
            expect(playedSamples + heldSamples).toBeCloseTo(sent, 5);
            played = playedSamples;
          }
        },
      ),
    );
  });
});

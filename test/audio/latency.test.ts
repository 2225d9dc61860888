import { describe, expect, it } from 'vitest';
import { CaptureClock } from '../../src/audio/capture-clock.js';
import { LatencyMeter, Timeline } from '../../src/audio/latency.js';

import { randomNumbers } from '../support/signals.js';

describe('CaptureClock', () => {
  it('goes by the promptest piece: one that was read late counts as late', () => {
    const clock = new CaptureClock(48_000);
    expect(clock.timeOf(0)).toBeUndefined();
    // 20 ms each, captured from 1000 on, read up to 30 ms late, and once, after a stall, five at a time.
    const lateMs = [12, 3, 0, 30, 8, 100, 80, 60, 40, 20, 1];
    lateMs.forEach((late, i) => clock.came(960, 1000 + (i + 1) * 20 + late));
    for (const sample of [0, 960, 5000, 10_000])
      expect(clock.timeOf(sample)).toBeCloseTo(1000 + sample / 48, 6);
  });

  it.each([100, -100])('follows a clock that is %i ppm off, for hours', (ppm) => {
    const clock = new CaptureClock(48_000);
    const random = randomNumbers(3);
    let samples = 0;
    let worstMs = 0;
    for (let i = 1; i <= 3 * 180_000; i += 1) {
      const capturedToMs = (i * 20) / (1 + ppm / 1e6);
      clock.came(960, capturedToMs + random() * 10);
      samples += 960;
      if (i > 10) worstMs = Math.max(worstMs, Math.abs(clock.timeOf(samples)! - capturedToMs));
    }
    expect(worstMs).toBeLessThan(5);
  });

  it('forgets within seconds what the recorder lost', () => {
    const clock = new CaptureClock(16_000);
    let nowMs = 0;
    const flow = (pieces: number): void => {
      for (let i = 0; i < pieces; i += 1) clock.came(320, (nowMs += 20));
    };
    flow(500);
    nowMs += 300;
    flow(600);
    expect(clock.timeOf(1100 * 320)).toBeCloseTo(nowMs, 6);
  });
});

describe('LatencyMeter', () => {
  it('tells the median and the greatest, of all and of the last frames, in memory that does not grow', () => {
    const meter = new LatencyMeter();
    expect(meter.total).toBeUndefined();
    expect(meter.recent).toBeUndefined();
    for (let i = 0; i < 1000; i += 1) meter.add(i % 101);
    meter.add(5000);
    for (let i = 0; i < 127; i += 1) meter.add(60);
    expect(meter.recent).toEqual({ p50Ms: 60, maxMs: 5000 });
    meter.add(60);
    expect(meter.recent).toEqual({ p50Ms: 60, maxMs: 60 });
    const total = meter.total!;
    expect(total).toMatchObject({ maxMs: 5000 });
    expect(Math.abs(total.p50Ms - 54.5)).toBeLessThan(3);
  });
});

describe('Timeline', () => {
  it('follows the stretches of a stream, and what lies before the first of them', () => {
    const timeline = new Timeline();
    expect(timeline.msOf(5)).toBeUndefined();
    timeline.add(0, 100);
    timeline.add(320, 150);
    expect(timeline.msOf(160)).toBe(110);
    expect(timeline.msOf(320)).toBe(150);
    expect(timeline.msOf(480)).toBe(160);
    expect(timeline.msOf(304)).toBe(149);
  });
});

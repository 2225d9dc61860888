import { describe, expect, it } from 'vitest';
import { PlaybackClock } from '../../src/speech/playback-clock.js';
import { TimerWheel } from '../../src/speech/timer-wheel.js';
import { FakeClock } from '../support/fake-clock.js';
import { ramp, RigSink } from '../support/speech-rig.js';

describe('Outlet', () => {
  it('has every frame fall due in a slot of the wheel, whenever the first one left', () => {
    const clock = new FakeClock(1000);
    const wheel = new TimerWheel(clock);
    for (const leftAtMs of [1001.3, 1004.9, 1005, 1012]) {
      clock.advanceSync(leftAtMs - clock.nowMs());
      const sink = new RigSink(clock);
      // What it still plays of another process counts as well.
      sink.playsUntilMs = leftAtMs === 1012 ? leftAtMs + 33.3 : -Infinity;
      const playback = new PlaybackClock(sink, wheel, clock);
      playback.reset();
      for (let frame = 0; frame < 5; frame++) {
        playback.transmit(ramp(640));
        const dueMs = playback.schedule.nextDueMs(16 * 100);
        expect(wheel.align(dueMs) - dueMs).toBeCloseTo(0, 6);
      }
    }
  });
});

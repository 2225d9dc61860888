import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { TimerWheel } from '../../src/speech/timer-wheel.js';
import { HandSound, ramp, rig, RigSink, sound } from '../support/speech-rig.js';

describe('a machine whose clock is set while an avatar speaks', () => {
  afterEach(() => void vi.useRealTimers());

  it.each([86_400_000, -86_400_000])('by %i ms is not heard', async (byMs) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const sink = new RigSink(systemClock);
    const { player } = rig({ clock: systemClock, wheel: new TimerWheel(systemClock), sink, lead: 300 });
    const speech = player.speak(sound(ramp(12_000)));
    await speech.started;
    vi.setSystemTime(Date.now() + byMs);
    const end = await speech.finished;
    expect(end).toMatchObject({ how: 'completed', heardMs: 750 });
    expect(end.gaps.totalMs).toBeLessThan(30_000);
    expect(sink.heard.subarray(0, 12_000)).toEqual(ramp(12_000));
    player.close();
  });
});

describe('a source that hangs', () => {
  it('before its first sound can be stopped, is freed, and lets the next speech through', async () => {
    const { clock, sink, player } = rig();
    const hand = new HandSound();
    const stuck = player.speak(hand);
    const next = player.speak(sound(ramp(2560)));
    await clock.advance(60_000);
    expect(stuck.state).toBe('preparing');
    void stuck.stop();
    await clock.advance(2000);
    expect(await stuck.finished).toMatchObject({ how: 'stopped', heardMs: 0 });
    expect(hand.closed).toBe(true);
    expect((await next.finished).how).toBe('completed');
    expect(sink.heard).toEqual(ramp(2560));
  });

  it('in mid-speech holds the mouth shut, says so once, and can be stopped', async () => {
    const { clock, sink, player } = rig();
    const hand = new HandSound();
    const speech = player.speak(hand);
    const warnings: string[] = [];
    speech.on('warning', (warning) => warnings.push(warning));
    hand.push(ramp(16_000));
    await clock.advance(60_000);
    expect(sink.segments()).toEqual([Math.ceil(16_000 / 256) * 256]);
    expect(sink.events.at(-1)?.kind).toBe('end');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/has paused: nothing came for \d+ ms/);
    void speech.stop();
    await clock.advance(1000);
    expect(await speech.finished).toMatchObject({ how: 'stopped', heardMs: 1000 });
    expect(hand.closed).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a source that never ends', () => {
  it.each([false, true])(
    'is spoken until it is stopped, in bounded memory, and freed (live: %s)',
    async (live) => {
      const { clock, sink, player } = rig({ bufferMs: 1000 });
      let given = 0;
      let freed = false;
      const speech = player.speak({
        label: 'endless',
        live,
        async *open({ signal }) {
          try {
            while (!signal.aborted) {
              if (live) await new Promise<void>((resolve) => clock.after(20, resolve));
              given += 320;
              yield { samples: new Int16Array(320).fill(7), sampleRateHz: 16_000, channels: 1 };
            }
          } finally {
            freed = true;
          }
        },
      });
      await clock.advance(20_000);
      expect(given / 16 - sink.sentSamples / 16).toBeLessThan(1100);
      expect(sink.playback().gapsMs).toEqual([]);
      void speech.stop();
      await clock.advance(1000);
      const end = await speech.finished;
      expect(end.how).toBe('stopped');
      expect(end.heardMs).toBeGreaterThan(19_500);
      expect(freed).toBe(true);
      expect(clock.pendingTimers).toBe(0);
    },
  );
});

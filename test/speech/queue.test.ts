import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { BridgeError } from '../../src/base/errors.js';
import type { Sound } from '../../src/audio/pcm.js';
import { concat } from '../support/signals.js';
import { HandSound, ramp, rig, sound } from '../support/speech-rig.js';

describe('what waits', () => {
  it('is bounded in bytes over all agents, texts and cues together, and gives its memory back', async () => {
    const budget = new ByteBudget(200_000);
    const [one, other] = [rig({ budget, maxQueued: 100 }), rig({ budget, maxQueued: 100 })];
    const text = (heldBytes: number): Sound => ({ ...sound(ramp(160)), heldBytes });
    const speech = one.player.speak(text(90_000));
    const next = other.player.speak(text(90_000));
    expect(() => one.player.speak(text(20_000))).toThrow(
      expect.objectContaining({ code: 'QUEUE_FULL', message: expect.stringContaining('take') as string }),
    );
    const cue = `X|${'y'.repeat(1000)}`;
    expect(() => {
      for (let i = 0; i < 20; i += 1) next.cue(60_000, cue);
    }).toThrow(expect.objectContaining({ code: 'CUE_LIMIT' }));
    // One that is refused for its cues takes nothing.
    await speech.stop();
    const before = budget.takenBytes;
    const cues = Array.from({ length: 100 }, () => ({ atMs: 1, send: cue }));
    expect(() => one.player.speak(text(10), { cues })).toThrow(
      expect.objectContaining({ code: 'CUE_LIMIT' }),
    );
    expect(budget.takenBytes).toBe(before);
    await one.clock.advance(1000);
    await other.clock.advance(1000);
    expect((await next.finished).how).toBe('completed');
    expect(budget.takenBytes).toBe(0);
  });
});

describe('the queue', () => {
  it('speaks two speeches in order, each whole, the second after the first was heard', async () => {
    const { clock, sink, player } = rig();
    const first = player.speak(sound(ramp(8000)));
    const second = player.speak(sound(ramp(4000, 20_000)));
    let firstEndedMs = 0;
    void first.finished.then(() => (firstEndedMs = clock.nowMs()));
    await clock.advance(3000);
    expect(sink.segments()).toEqual([8192, 4096]);
    expect((await second.finished).how).toBe('completed');
    const secondStartMs = sink.frames.find(({ samples }) => samples[0] === 20_000)!.atMs;
    expect(secondStartMs).toBeGreaterThanOrEqual(firstEndedMs);
  });

  it('puts a higher priority before those that wait, not before the one that sounds', async () => {
    const { clock, player } = rig();
    const order: string[] = [];
    const speak = (label: string, priority: number): void => {
      const speech = player.speak(sound(ramp(1600), { label }), { priority });
      void speech.finished.then(() => order.push(label));
    };
    speak('a', 0);
    await clock.advance(10);
    speak('b', 0);
    speak('c', 5);
    speak('d', 5);
    await clock.advance(5000);
    expect(order).toEqual(['a', 'c', 'd', 'b']);
  });

  it('refuses one more than the bound', async () => {
    const { clock, player } = rig({ maxQueued: 2 });
    player.speak(sound(ramp(1600)));
    await clock.advance(0);
    player.speak(sound(ramp(1600)));
    player.speak(sound(ramp(1600)));
    expect(() => player.speak(sound(ramp(1600), { label: 'late.wav' }))).toThrow(/late.wav was not taken on/);
  });

  it('refuses if-idle while busy, and takes it when idle', async () => {
    const { clock, player } = rig();
    player.speak(sound(ramp(1600)), { when: 'if-idle' });
    await clock.advance(0);
    expect(() => player.speak(sound(ramp(1600)), { when: 'if-idle' })).toThrow(BridgeError);
    await clock.advance(2000);
    const speech = player.speak(sound(ramp(1600)), { when: 'if-idle' });
    await clock.advance(2000);
    expect((await speech.finished).how).toBe('completed');
  });

  it('joins speeches without a gap, in one segment', async () => {
    const { clock, sink, player } = rig();
    const speeches = [0, 1, 2].map((i) => player.speak(sound(ramp(5000, 1 + i * 5000)), { join: i > 0 }));
    await clock.advance(3000);
    expect(sink.playback().gapsMs).toEqual([]);
    expect(sink.segments()).toEqual([Math.ceil(15_000 / 256) * 256]);
    expect(sink.heard.subarray(0, 15_000)).toEqual(ramp(15_000));
    for (const speech of speeches) {
      expect(await speech.finished).toMatchObject({ how: 'completed', heardMs: 312.5, gaps: { count: 0 } });
    }
  });

  it('joins one whose sound takes a second to open: it is opened when the one before it has been read', async () => {
    const { clock, sink, player } = rig();
    const first = new HandSound();
    player.speak(first);
    first.push(ramp(32_000));
    await clock.advance(100);
    let openedAtMs = 0;
    const slow: Sound = {
      label: 'slow.m4a',
      live: false,
      async *open() {
        openedAtMs = clock.nowMs();
        await new Promise<void>((resolve) => clock.after(1000, resolve));
        yield { samples: ramp(8000, 32_001), sampleRateHz: 16_000, channels: 1 };
      },
    };
    player.speak(slow, { join: true });
    await clock.advance(300);
    expect(openedAtMs, 'not before there is room for it').toBe(0);
    first.end();
    await clock.advance(5000);
    expect(sink.playback().gapsMs).toEqual([]);
    expect(sink.heard.subarray(0, 40_000)).toEqual(concat([ramp(32_000), ramp(8000, 32_001)]));
    expect(sink.segments()).toHaveLength(1);
  });

  it('does not wait for a joined speech whose sound is late', async () => {
    const { clock, sink, player } = rig();
    const hand = new HandSound();
    const first = player.speak(sound(ramp(4000)));
    const second = player.speak(hand, { join: true });
    await clock.advance(1000);
    expect((await first.finished).how).toBe('completed');
    hand.push(ramp(2000));
    hand.end();
    await clock.advance(1000);
    expect(await second.finished).toMatchObject({ how: 'completed', gaps: { count: 0 } });
    expect(sink.segments()).toEqual([4096, 2048]);
  });

  it('settles every promise once, through ten thousand speeches, and keeps nothing of them', async () => {
    const { clock, player } = rig({ maxQueued: 10_000 });
    let ended = 0;
    for (let round = 0; round < 100; round += 1) {
      const speeches = Array.from({ length: 100 }, () => player.speak(sound(ramp(256)), { join: true }));
      for (const speech of speeches) void speech.finished.then(() => (ended += 1));
      await clock.advance(2200);
    }
    expect(ended).toBe(10_000);
    expect(player.busy).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });
});

import { describe, expect, it } from 'vitest';
import { BridgeError } from '../../src/base/errors.js';
import { ramp, rig, sound, type RigSink } from '../support/speech-rig.js';
import type { FakeClock } from '../support/fake-clock.js';

/** An avatar that reads all it is sent, but for `frozenMs` from a moment on; it is found out after 550 ms, as by marks. */
async function playWithFreeze(
  { clock, sink, readingChanged }: { clock: FakeClock; sink: RigSink; readingChanged(): void },
  frozenAtMs: number,
  frozenMs: number,
): Promise<void> {
  const startMs = clock.nowMs();
  const until = async (ms: number): Promise<void> => clock.advance(startMs + ms - clock.nowMs());
  await until(frozenAtMs);
  sink.readSamples = sink.sentSamples;
  await until(frozenAtMs + 550);
  sink.stalled = true;
  readingChanged();
  await until(frozenAtMs + frozenMs);
  sink.stalled = false;
  sink.readSamples = sink.sentSamples;
  readingChanged();
}

describe('an avatar that stands still', () => {
  it.each([1000, 4000, 9000])(
    'for %i ms makes a gap of that length, in the end, the event and a warning',
    async (frozenMs) => {
      const { clock, sink, player } = rig();
      const gaps: { lengthMs: number; cause: string }[] = [];
      player.on('gap', ({ lengthMs, cause }) => gaps.push({ lengthMs, cause }));
      const speech = player.speak(sound(ramp(16_000 * 5)));
      const warnings: string[] = [];
      speech.on('warning', (warning) => warnings.push(warning));
      await playWithFreeze({ clock, sink, readingChanged: () => player.readingChanged() }, 2000, frozenMs);
      await clock.advance(10_000);
      const end = await speech.finished;
      expect(end).toMatchObject({
        how: 'completed',
        gaps: { count: 1, byAgent: 1, byStall: 0, bySource: 0 },
      });
      // What it held when it stopped it may have played.
      expect(end.gaps.totalMs).toBeGreaterThan(frozenMs - 250);
      expect(end.gaps.totalMs).toBeLessThanOrEqual(frozenMs);
      expect(gaps).toEqual([{ lengthMs: end.gaps.totalMs, cause: 'agent' }]);
      expect(warnings.join()).toMatch(/A silence of \d+ ms: the avatar stood still\./);
    },
  );

  it('after it has played all of a speech makes no gap in it', async () => {
    const { clock, sink, player } = rig();
    const speech = player.speak(sound(ramp(16_000)));
    await clock.advance(950);
    sink.readSamples = sink.sentSamples;
    await clock.advance(100);
    sink.stalled = true;
    player.readingChanged();
    await clock.advance(3000);
    sink.stalled = false;
    player.readingChanged();
    await clock.advance(1000);
    expect((await speech.finished).gaps.count).toBe(0);
  });
});

describe('what was heard', () => {
  it('is confirmed when the avatar has told that it can play and has read all of it', async () => {
    const { clock, sink, player } = rig();
    const speech = player.speak(sound(ramp(16_000)));
    await clock.advance(500);
    sink.readSamples = 16_000;
    await clock.advance(2000);
    expect(await speech.finished).toMatchObject({ how: 'completed', heard: 'confirmed' });
  });

  it.each([
    ['it cannot tell what it read', undefined, 'confirmed'],
    ['it has read only a part', 12_000, 'confirmed'],
    ['it has not told that it can play', 16_000, 'assumed'],
  ] as const)('is assumed when %s', async (_, readSamples, hearing) => {
    const { clock, sink, player } = rig();
    sink.hearing = hearing;
    const speech = player.speak(sound(ramp(16_000)));
    await clock.advance(500);
    sink.readSamples = readSamples;
    await clock.advance(2000);
    expect(await speech.finished).toMatchObject({ how: 'completed', heardMs: 1000, heard: 'assumed' });
  });

  it('is assumed when the avatar was lost', async () => {
    const { clock, player } = rig();
    const speech = player.speak(sound(ramp(16_000)));
    await clock.advance(500);
    player.lost(new BridgeError('AGENT_LOST', 'gone'));
    expect(await speech.finished).toMatchObject({ how: 'avatar-lost', heard: 'assumed' });
  });
});

describe('the length of a sound', () => {
  it('is unknown while more comes than its head said, so that no position lies beyond it', async () => {
    const { clock, player } = rig();
    const samples = ramp(32_000);
    const speech = player.speak({
      label: 'wrong.mp3',
      live: false,
      async *open({ info }) {
        info({ format: 'test', sampleRateHz: 16_000, channels: 1, durationMs: 500 });
        for (let at = 0; at < samples.length; at += 1600) {
          await new Promise<void>((resolve) => clock.after(50, resolve));
          yield { samples: samples.subarray(at, at + 1600), sampleRateHz: 16_000, channels: 1 };
        }
      },
    });
    const seen: [number, number | undefined][] = [];
    speech.on('position', ({ positionMs, durationMs }) => seen.push([positionMs, durationMs]));
    await clock.advance(4000);
    for (const [positionMs, durationMs] of seen)
      expect(positionMs).toBeLessThanOrEqual(durationMs ?? Infinity);
    expect(seen.some(([positionMs]) => positionMs > 1000)).toBe(true);
    expect(seen.at(-1)).toEqual([expect.closeTo(2000, -2), 2000]);
    expect((await speech.finished).durationMs).toBe(2000);
  });
});

describe('a speech that has not begun', () => {
  it('says at once that its agent is paused, and no more once it is resumed', async () => {
    const { clock, player } = rig();
    player.pause();
    const speeches = [player.speak(sound(ramp(1600))), player.speak(sound(ramp(1600)))];
    const told: string[][] = speeches.map(() => []);
    speeches.forEach((speech, i) => speech.on('waiting', (reason) => told[i]!.push(reason)));
    await clock.advance(0);
    const reason = 'Agent default is paused: resume it.';
    expect(told).toEqual([[reason], [reason]]);
    expect(speeches.map(({ waiting }) => waiting)).toEqual([reason, reason]);
    player.resume();
    expect(speeches.map(({ waiting }) => waiting)).toEqual([undefined, undefined]);
    await clock.advance(2000);
    for (const speech of speeches) expect((await speech.finished).how).toBe('completed');
  });

  it('says what its agent is waited for, also behind another one, and falls silent when it speaks', async () => {
    const { clock, sink, player } = rig();
    let come!: () => void;
    sink.prepare = (_needs, _signal, waiting) => {
      waiting('No avatar is connected; waiting for default.');
      return new Promise((resolve) => (come = resolve));
    };
    const [first, second] = [player.speak(sound(ramp(1600))), player.speak(sound(ramp(1600)))];
    await clock.advance(0);
    for (const { waiting } of [first, second])
      expect(waiting).toBe('No avatar is connected; waiting for default.');
    player.pause();
    expect(second.waiting).toMatch(/paused/);
    player.resume();
    expect(second.waiting).toMatch(/No avatar/);
    come();
    await clock.advance(60);
    expect([first.state, first.waiting, second.waiting]).toEqual(['draining', undefined, undefined]);
    come();
    await clock.advance(3000);
    come();
  });

  it('that only waits for its turn says nothing', async () => {
    const { clock, player } = rig();
    player.speak(sound(ramp(16_000)));
    const next = player.speak(sound(ramp(1600)));
    await clock.advance(500);
    expect([next.state, next.waiting]).toEqual(['queued', undefined]);
  });
});

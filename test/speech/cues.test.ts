import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { CueList, type Cue, type Notice } from '../../src/speech/cues.js';
import { HandSound, ramp, rig, sound } from '../support/speech-rig.js';

function commands(sink: {
  events: readonly { kind: string; atMs: number; line?: string }[];
}): [string, number][] {
  return sink.events.filter(({ kind }) => kind === 'command').map(({ line, atMs }) => [line!, atMs]);
}

function sendsOf(cues: readonly (Cue | Notice)[]): string[] {
  return cues.map((cue) => ('send' in cue ? cue.send : 'notice'));
}

describe('cues', () => {
  it('leave within 10 ms of the moment their sample is due, not when its frame leaves', async () => {
    const { clock, sink, player } = rig({ lead: 500 });
    const cues = [0, 333, 1200, 1201, 1777].map((atMs) => ({ atMs, send: `CUE|${atMs}` }));
    player.speak(sound(ramp(32_000)), { cues });
    await clock.advance(4000);
    const startMs = sink.playback().startMs;
    for (const [line, atMs] of commands(sink)) {
      const lateMs = atMs - startMs - Number(line.split('|')[1]);
      expect(lateMs).toBeGreaterThanOrEqual(-1);
      expect(lateMs).toBeLessThanOrEqual(10);
    }
    expect(commands(sink)).toHaveLength(5);
  });

  it('can count from the end, once it is known', async () => {
    const { clock, sink, player } = rig();
    const hand = new HandSound();
    player.speak(hand, { cues: [{ atMs: -500, send: 'LATE' }] });
    hand.push(ramp(32_000));
    await clock.advance(1000);
    hand.end();
    await clock.advance(2000);
    const [[, atMs]] = commands(sink) as [[string, number]];
    expect(Math.abs(atMs - sink.playback().startMs - 1500)).toBeLessThanOrEqual(10);
  });

  it('can be added while it plays; one whose moment has passed is sent at once', async () => {
    const { clock, sink, player } = rig();
    const speech = player.speak(sound(ramp(32_000)));
    await clock.advance(1000);
    speech.cue(500, 'PAST');
    expect(commands(sink)).toEqual([['PAST', clock.nowMs()]]);
    speech.cue(1500, 'AHEAD');
    await clock.advance(2000);
    expect(commands(sink)).toHaveLength(2);
    expect(() => speech.cue(10, 'X')).toThrow(/has ended/);
  });

  it('move with a pause: they stand at a place of the sound, not of the clock', async () => {
    const { clock, sink, player } = rig();
    player.speak(sound(ramp(32_000)), { cues: [{ atMs: 1500, send: 'C' }] });
    await clock.advance(1000);
    player.pause();
    await clock.advance(10_000);
    expect(commands(sink)).toEqual([]);
    const resumedAtMs = clock.nowMs();
    const sentMs = sink.heard.length / 16;
    player.resume();
    await clock.advance(3000);
    const [[, atMs]] = commands(sink) as [[string, number]];
    // It had got to what was sent before the pause, padding of the segment included.
    expect(Math.abs(atMs - resumedAtMs - (1500 - sentMs))).toBeLessThanOrEqual(26);
  });

  it('move with a re-anchoring after a stall', async () => {
    const { clock, sink, player } = rig();
    player.speak(sound(ramp(32_000)), { cues: [{ atMs: 1500, send: 'C' }] });
    await clock.advance(1000);
    await clock.stall(3000);
    await clock.advance(3000);
    const [[, atMs]] = commands(sink) as [[string, number]];
    const gapMs = sink.playback().gapsMs[0]!;
    expect(Math.abs(atMs - sink.playback().startMs - 1500 - gapMs)).toBeLessThanOrEqual(10);
  });

  it('not reached at a stop are dropped and counted, but for those marked always', async () => {
    const { clock, sink, player } = rig();
    const speech = player.speak(sound(ramp(32_000)), {
      cues: [
        { atMs: 200, send: 'DONE' },
        { atMs: 1500, send: 'DROPPED' },
        { atMs: 1600, send: 'KEPT', always: true },
      ],
    });
    await clock.advance(1000);
    void speech.stop();
    await clock.advance(1000);
    expect(commands(sink).map(([line]) => line)).toEqual(['DONE', 'KEPT']);
    expect(await speech.finished).toMatchObject({ cuesSent: 2, cuesDropped: 1 });
  });

  it('beyond the end are sent at the end', async () => {
    const { clock, sink, player } = rig();
    const speech = player.speak(sound(ramp(16_000)), { cues: [{ atMs: 60_000, send: 'C' }] });
    await clock.advance(3000);
    expect(commands(sink)).toHaveLength(1);
    expect((await speech.finished).cuesSent).toBe(1);
  });

  it('that may not be sent are refused before the speech is taken on', () => {
    const { player } = rig();
    expect(() => player.speak(sound(ramp(100)), { cues: [{ atMs: 0, send: 'SNDX' }] })).toThrow(/SND/);
    expect(player.busy).toBe(false);
  });

  it('by the thousand neither delay nor split a frame', async () => {
    const { clock, sink, player } = rig();
    const cues = Array.from({ length: 1000 }, (_, i) => ({ atMs: 500, send: `C|${i}` }));
    player.speak(sound(ramp(32_000)), { cues });
    await clock.advance(4000);
    expect(sink.playback().gapsMs).toEqual([]);
    expect(commands(sink).map(([line]) => line)).toEqual(cues.map(({ send }) => send));
  });
});

describe('CueList', () => {
  it('keeps the order of moments, and of arrival at the same moment', () => {
    const list = new CueList(new ByteBudget(1e8));
    for (const [atMs, send] of [
      [20, 'c'],
      [10, 'a'],
      [20, 'd'],
      [15, 'b'],
    ] as const) {
      list.add({ atMs, send });
    }
    expect(sendsOf(list.takeDue(16 * 19))).toEqual(['a', 'b']);
    expect(list.nextSample).toBe(320);
    expect(sendsOf(list.takeAll())).toEqual(['c', 'd']);
  });

  it('is bounded, and has room again for as much as was taken out', () => {
    const list = new CueList(new ByteBudget(1e8));
    const send = 'x'.repeat(2000);
    let count = 0;
    const fill = (): void => {
      for (; count < 100_000; count++) list.add({ atMs: count, send });
    };
    expect(fill).toThrow(/^\d{4} cues of one speech wait already, which is the limit\.$/);
    const most = list.size;
    expect(most).toBeGreaterThan(1000);
    expect(list.takeDue(16 * 999)).toHaveLength(1000);
    expect(fill).toThrow(/wait already/);
    expect(list.size).toBe(most);
  });

  it('holds back cues from the end until the end is known', () => {
    const list = new CueList(new ByteBudget(1e8));
    list.add({ atMs: -10, send: 'end' });
    list.add({ atMs: 100, send: 'later' });
    expect(sendsOf(list.takeDue(1e9))).toEqual(['later']);
    list.setEnd(16_000);
    expect(list.nextSample).toBe(16_000 - 160);
  });
});

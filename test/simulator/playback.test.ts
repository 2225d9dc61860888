import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Playback, type PlaybackOptions } from '../../src/simulator/playback.js';

/** 40 ms of sound; the samples count up, so that a lost or doubled one shows. */
function counting(samples: number, from = 1): Int16Array {
  return Int16Array.from({ length: samples }, (_, i) => ((from + i) % 30_000) + 1);
}

/** Sends whole frames of 40 ms, one every 40 ms after a first burst. */
function speak(playback: Playback, frames: number, burst: number, startMs = 0): Int16Array {
  const all = counting(frames * 640);
  for (let i = 0; i < frames; i++)
    playback.push(all.slice(i * 640, (i + 1) * 640), startMs + Math.max(0, i + 1 - burst) * 40);
  return all;
}

function sum(playback: Playback): number {
  const dropped = Object.values(playback.droppedSamples).reduce((total, count) => total + count, 0);
  return playback.heardSamples + playback.heldSamples + dropped;
}

describe('a paced speech', () => {
  it('is heard whole, without a gap, at the start latency', () => {
    const playback = new Playback({ startLatencyMs: 45 });
    const all = speak(playback, 64, 3, 100);
    playback.endSegment(2_700);
    playback.advance(10_000);
    expect(playback.recording.join()).toEqual(all);
    expect(playback.gapCount).toBe(0);
    expect(playback.firstSoundMs).toBe(145);
    expect(playback.lastSoundMs).toBe(145 + 64 * 40);
    expect(playback.maxHeldMs).toBe(128);
    expect(playback.segments).toEqual([
      {
        index: 0,
        firstFrameMs: 100,
        receivedSamples: 64 * 640,
        remainderLostSamples: 0,
        gapCount: 0,
        gapMs: 0,
        heardFromMs: 145,
        heardUntilMs: 145 + 64 * 40,
        closed: true,
      },
    ]);
  });

  it('plays in real time', () => {
    const playback = new Playback({ startLatencyMs: 45 });
    playback.push(counting(256 * 10), 0);
    playback.advance(14);
    expect(playback.heardSamples).toBe(0);
    playback.advance(15);
    expect(playback.heardSamples).toBe(256);
    playback.advance(15 + 16 * 4 + 15);
    expect(playback.heardSamples).toBe(256 * 5);
    expect(playback.remainingMs(15 + 16 * 4 + 15)).toBeCloseTo(5 * 16 + 30 + 1);
  });

  it('waits for the first whole block', () => {
    const playback = new Playback();
    playback.push(counting(255), 0);
    playback.advance(500);
    expect(playback.heardSamples).toBe(0);
    playback.push(counting(1), 500);
    playback.advance(515);
    expect(playback.heardSamples).toBe(256);
    expect(playback.gapCount).toBe(0);
  });

  it('takes samples faster when the card runs fast', () => {
    const [exact, fast] = [0, 28].map((cardPpm) => {
      const playback = new Playback({ cardPpm, maxRecordMs: 0, bufferMs: 700_000 });
      playback.push(new Int16Array(601 * 16_000), 0);
      playback.advance(600_000);
      return playback.heardSamples;
    });
    // 28 ppm of ten minutes are 16.8 ms: one block more.
    expect(fast! - exact!).toBe(256);
  });
});

describe('a late frame', () => {
  it('makes a gap of whole blocks, with its place', () => {
    const playback = new Playback();
    playback.push(counting(2_560), 0);
    playback.push(counting(2_560), 15 + 160 + 20);
    playback.endSegment(400);
    playback.advance(1_000);
    expect(playback.gaps).toEqual([{ atSample: 2_560, atMs: 15 + 160 + 30, lengthMs: 32 }]);
    expect(playback.gapMs).toBe(32);
    expect(playback.segments[0]).toMatchObject({ gapCount: 1, gapMs: 32 });
    expect(playback.recording.join({ gaps: true })).toHaveLength(5_120 + 512);
  });

  it('makes none when it comes before the card asks', () => {
    const playback = new Playback();
    playback.push(counting(2_560), 0);
    playback.push(counting(2_560), 15 + 160);
    playback.advance(1_000);
    expect(playback.gapCount).toBe(0);
    expect(playback.lastSoundMs).toBe(45 + 320);
  });

  it('makes none between two segments', () => {
    const playback = new Playback();
    playback.push(counting(2_560), 0);
    playback.endSegment(200);
    playback.push(counting(2_560), 3_000);
    playback.advance(4_000);
    expect(playback.gapCount).toBe(0);
    expect(playback.segments.map(({ heardFromMs }) => heardFromMs)).toEqual([45, 3_045]);
  });
});

describe('the rest of a segment that is no whole block', () => {
  it('is lost at SNDBRKS', () => {
    const playback = new Playback();
    playback.push(counting(300), 0);
    expect(playback.endSegment(5)).toBe(212);
    playback.advance(100);
    expect(playback.heardSamples).toBe(256);
    expect(playback.droppedSamples.remainder).toBe(44);
    expect(playback.segments[0]).toMatchObject({ remainderLostSamples: 44 });
    playback.push(counting(256), 200);
    playback.advance(300);
    expect(playback.recording.runs()[1]?.samples).toEqual(counting(256));
  });

  it('is lost at SNDBRKS when the card has run dry before it', () => {
    const playback = new Playback();
    playback.push(counting(300), 0);
    playback.endSegment(500);
    expect(playback.droppedSamples.remainder).toBe(44);
    expect(playback.heldSamples).toBe(0);
  });

  it('is played at the head of the next segment when that comes first', () => {
    const playback = new Playback();
    playback.push(counting(300), 0);
    playback.endSegment(5);
    playback.push(counting(212, 301), 10);
    playback.advance(100);
    expect(playback.droppedSamples.remainder).toBe(0);
    expect(playback.recording.join()).toEqual(counting(512));
    expect(playback.segments.map(({ heardFromMs }) => heardFromMs)).toEqual([45, 45 + 300 / 16]);
  });

  it('stays when sound of the next segment came before it could be lost', () => {
    const playback = new Playback();
    playback.push(counting(300), 0);
    playback.endSegment(5);
    playback.push(counting(100, 301), 10);
    playback.advance(100);
    expect(playback.droppedSamples.remainder).toBe(0);
    expect(playback.heldSamples).toBe(144);
  });

  it('waits for more without SNDBRKS', () => {
    const playback = new Playback();
    playback.push(counting(300), 0);
    playback.advance(500);
    expect(playback.heldSamples).toBe(44);
    playback.push(counting(212, 301), 1_000);
    playback.advance(2_000);
    expect(playback.recording.join()).toEqual(counting(512));
  });
});

describe('the buffer of 60 s', () => {
  it('drops what has no room, and counts it', () => {
    const playback = new Playback({ maxRecordMs: 0 });
    let lost = 0;
    for (let i = 0; i < 65 * 25; i++) lost += playback.push(new Int16Array(640), i * 0.05);
    expect(lost / 16).toBeGreaterThan(4_800);
    expect(lost / 16).toBeLessThan(5_000);
    expect(playback.droppedSamples['buffer-full']).toBe(lost);
    expect(playback.maxHeldMs).toBe(60_000);
  });
});

describe('the recording', () => {
  it('keeps no more than its bound, and says so', () => {
    const playback = new Playback({ maxRecordMs: 100 });
    playback.push(counting(3_200), 0);
    playback.advance(1_000);
    expect(playback.recording.join()).toEqual(counting(1_600));
    expect(playback.recording.truncated).toBe(true);
    expect(playback.heardSamples).toBe(3_072);
  });

  it('shortens the pauses between segments', () => {
    const playback = new Playback();
    for (const atMs of [0, 5_000, 5_300]) {
      playback.push(counting(256), atMs);
      playback.endSegment(atMs + 50);
    }
    playback.advance(6_000);
    expect(playback.recording.join({ maxPauseMs: 1_000 })).toHaveLength(3 * 256 + 16_000 + 300 * 16 - 256);
  });
});

describe('the end of the avatar', () => {
  it('drops what it held, and what comes after', () => {
    const playback = new Playback();
    playback.push(counting(2_560), 0);
    playback.die(15 + 16 * 3);
    playback.push(counting(100), 500);
    expect(playback.heardSamples).toBe(4 * 256);
    expect(playback.droppedSamples.died).toBe(6 * 256 + 100);
    expect(sum(playback)).toBe(playback.receivedSamples);
  });
});

const step = fc.record({
  waitMs: fc.double({ min: 0, max: 400, noNaN: true }),
  what: fc.oneof(
    fc.integer({ min: 1, max: 3_000 }),
    fc.constantFrom('segment' as const, 'look' as const, 'refuse' as const),
  ),
});

describe('at every moment', () => {
  const options: PlaybackOptions = { bufferMs: 300 };

  it('received = heard + held + dropped, and what is heard is what came, in order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, dies) => {
        const playback = new Playback(options);
        let nowMs = 0;
        let at = 0;
        for (const { waitMs, what } of steps) {
          nowMs += waitMs;
          if (what === 'segment') playback.endSegment(nowMs);
          else if (what === 'refuse') playback.refuse(100, 'no-model', nowMs);
          else if (what === 'look') playback.advance(nowMs);
          else {
            playback.push(
              Int16Array.from({ length: what }, (_, i) => (at + i) % 30_000),
              nowMs,
            );
            at += what;
          }
          expect(sum(playback)).toBe(playback.receivedSamples);
          expect(playback.heldSamples).toBeGreaterThanOrEqual(0);
        }
        if (dies) playback.die(nowMs);
        playback.advance(nowMs + 10_000);
        expect(sum(playback)).toBe(playback.receivedSamples);
        const heard = playback.recording.join();
        expect(heard).toHaveLength(playback.heardSamples);
        // Drops leave holes; between them the samples count up.
        const { 'buffer-full': full, remainder } = playback.droppedSamples;
        if (full === 0 && remainder === 0)
          expect(heard).toEqual(Int16Array.from({ length: heard.length }, (_, i) => i % 30_000));
        const inSegments = playback.segments.reduce(
          (total, segment) => total + segment.remainderLostSamples,
          0,
        );
        expect(inSegments).toBe(remainder);
        expect(playback.gaps.reduce((total, gap) => total + gap.lengthMs, 0)).toBeCloseTo(playback.gapMs);
      }),
    );
  });

  it('does not depend on how often it is looked at', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const [seldom, often] = [new Playback(options), new Playback(options)];
        let nowMs = 0;
        for (const { waitMs, what } of steps) {
          for (let i = 1; i < 10; i++) often.advance(nowMs + (waitMs * i) / 10);
          nowMs += waitMs;
          for (const playback of [seldom, often]) {
            if (what === 'segment') playback.endSegment(nowMs);
            else if (typeof what === 'number') playback.push(counting(what), nowMs);
          }
        }
        for (const playback of [seldom, often]) playback.advance(nowMs + 5_000);
        expect(often.heardSamples).toBe(seldom.heardSamples);
        expect(often.gapCount).toBe(seldom.gapCount);
        expect(often.gapMs).toBeCloseTo(seldom.gapMs, 3);
        expect(often.recording.join()).toEqual(seldom.recording.join());
      }),
    );
  });
});

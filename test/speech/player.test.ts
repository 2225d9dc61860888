import { describe, expect, it } from 'vitest';
import { BridgeError } from '../../src/base/errors.js';
import { AdaptiveLead } from '../../src/speech/lead.js';
import { HandSound, ramp, rig, sound } from '../support/speech-rig.js';

const FRAME = 640;

function expectWhole(heard: Int16Array, expected: Int16Array): void {
  expect(heard.length).toBe(Math.ceil(expected.length / 256) * 256);
  expect(heard.subarray(0, expected.length)).toEqual(expected);
  expect(heard.subarray(expected.length).every((sample) => sample === 0)).toBe(true);
}

describe('a speech from start to end', () => {
  it('arrives to the sample, without a gap, padded to whole blocks, and completes', async () => {
    const { clock, sink, player } = rig();
    const samples = ramp(50_001);
    const speech = player.speak(sound(samples));
    await clock.advance(5000);
    expectWhole(sink.heard, samples);
    expect(sink.playback().gapsMs).toEqual([]);
    expect(sink.segments()).toEqual([Math.ceil(50_001 / 256) * 256]);
    const end = await speech.finished;
    expect(end).toMatchObject({ how: 'completed', gaps: { count: 0 }, error: undefined });
    expect(end.heardMs).toBeCloseTo(50_001 / 16, 3);
  });

  it('never lets the agent hold more than the lead and one frame', async () => {
    for (const leadMs of [20, 60, 120, 500]) {
      const { clock, sink, player } = rig({ lead: leadMs });
      player.speak(sound(ramp(64_000)));
      await clock.advance(6000);
      expect(sink.playback().maxHeldMs).toBeLessThanOrEqual(leadMs + 40);
      expect(sink.playback().gapsMs).toEqual([]);
    }
  });

  it('lets the agent hold no more where it still plays what another process has sent it', async () => {
    for (const playsForMs of [7, 60, 119, 160]) {
      const { clock, sink, player } = rig();
      sink.playsUntilMs = clock.nowMs() + playsForMs;
      const samples = ramp(32_000);
      const speech = player.speak(sound(samples));
      await clock.advance(4000);
      expectWhole(sink.heard, samples);
      const { gapsMs, maxHeldMs } = sink.playback();
      expect(gapsMs).toEqual([]);
      expect(maxHeldMs).toBeLessThanOrEqual(120 + 40);
      expect((await speech.finished).gaps.count).toBe(0);
    }
  });

  it('fills a lead that has become larger at once, and goes back without a gap', async () => {
    const lead = new AdaptiveLead();
    const { clock, sink, player } = rig({ lead });
    const samples = ramp(64_000);
    player.speak(sound(samples));
    await clock.advance(1000);
    lead.brace(true);
    await clock.advance(100);
    expect(player.heldMs).toBeGreaterThanOrEqual(260);
    await clock.advance(400);
    lead.brace(false);
    await clock.advance(500);
    expect(player.heldMs).toBeLessThanOrEqual(160);
    await clock.advance(4000);
    expectWhole(sink.heard, samples);
    expect(sink.playback().gapsMs).toEqual([]);
  });

  it('begins to count the position when the agent has played what another process has sent it', async () => {
    const { clock, sink, player } = rig();
    sink.playsUntilMs = clock.nowMs() + 100;
    const speech = player.speak(sound(ramp(48_000)));
    await clock.advance(0);
    await clock.advance(140);
    expect(speech.positionMs).toBe(0);
    await clock.advance(1000);
    expect(speech.positionMs).toBeGreaterThan(980);
    expect(speech.positionMs).toBeLessThanOrEqual(992);
  });

  it('is finished only when the agent has played it all, and soon after', async () => {
    const { clock, sink, player } = rig();
    let finishedAtMs = 0;
    const speech = player.speak(sound(ramp(32_000)));
    void speech.finished.then(() => (finishedAtMs = clock.nowMs()));
    await clock.advance(4000);
    const { endMs } = sink.playback();
    expect(finishedAtMs).toBeGreaterThanOrEqual(endMs + 50);
    expect(finishedAtMs).toBeLessThanOrEqual(endMs + 110);
  });

  it('counts the position as heard: behind what was sent, in step with the clock', async () => {
    const { clock, player } = rig();
    const speech = player.speak(sound(ramp(48_000)));
    await clock.advance(0);
    await clock.advance(1048);
    expect(speech.positionMs).toBeGreaterThan(990);
    expect(speech.positionMs).toBeLessThanOrEqual(1000);
    expect(speech.position.heldMs).toBeGreaterThanOrEqual(115);
    expect(await speech.started).toBe(true);
  });

  it('goes through its states in order', async () => {
    const { clock, player } = rig();
    const speech = player.speak(sound(ramp(16_000)));
    const states: string[] = [];
    speech.on('state', (state) => states.push(state));
    await clock.advance(2000);
    expect(states).toEqual(['preparing', 'speaking', 'draining', 'ended']);
  });

  it('tells its position about ten times a second', async () => {
    const { clock, player } = rig();
    const speech = player.speak(sound(ramp(32_000)));
    const positions: number[] = [];
    speech.on('position', ({ positionMs }) => positions.push(positionMs));
    await clock.advance(3000);
    expect(positions.length).toBeGreaterThanOrEqual(18);
    expect(positions.length).toBeLessThanOrEqual(26);
    expect([...positions].sort((a, b) => a - b)).toEqual(positions);
  });

  it('tells its position to one who begins to follow it in its midst', async () => {
    const { clock, player } = rig();
    const speech = player.speak(sound(ramp(32_000)));
    await clock.advance(1000);
    let told = 0;
    speech.on('position', () => (told += 1));
    await clock.advance(500);
    expect(told).toBeGreaterThanOrEqual(4);
  });

  it('tells the very samples that leave to whoever takes them down', async () => {
    const { clock, player } = rig();
    const speech = player.speak(sound(ramp(10_000)));
    const taken: number[] = [];
    speech.on('sent', ({ samples }) => taken.push(...samples));
    await clock.advance(2000);
    expect(Int16Array.from(taken)).toEqual(ramp(10_000));
  });

  it('leaves no timer behind', async () => {
    const { clock, player } = rig();
    const speech = player.speak(sound(ramp(8000)));
    await clock.advance(3000);
    await speech.finished;
    expect(clock.pendingTimers).toBe(0);
    expect(player.busy).toBe(false);
  });
});

describe('a process that stalls', () => {
  it('refills a stall shorter than the lead without a gap and without holding more than before', async () => {
    const { clock, sink, player } = rig();
    const speech = player.speak(sound(ramp(64_000)));
    await clock.advance(1000);
    await clock.stall(110);
    await clock.advance(5000);
    expect(sink.playback().gapsMs).toEqual([]);
    expect(sink.playback().maxHeldMs).toBeLessThanOrEqual(160);
    expect((await speech.finished).gaps.count).toBe(0);
  });

  it('re-anchors after a 3 s stall instead of bursting, and counts the gap', async () => {
    const { clock, sink, player } = rig();
    const samples = ramp(64_000);
    const speech = player.speak(sound(samples));
    const warnings: string[] = [];
    speech.on('warning', (warning) => warnings.push(warning));
    await clock.advance(1000);
    await clock.stall(3000);
    await clock.advance(6000);
    const { gapsMs, maxHeldMs } = sink.playback();
    expect(gapsMs).toHaveLength(1);
    expect(gapsMs[0]).toBeGreaterThan(2800);
    expect(maxHeldMs).toBeLessThanOrEqual(165);
    expectWhole(sink.heard, samples);
    const end = await speech.finished;
    expect(end).toMatchObject({ how: 'completed', gaps: { count: 1, byStall: 1, bySource: 0 } });
    expect(Math.abs(end.gaps.totalMs - gapsMs[0]!)).toBeLessThan(6);
    expect(warnings.join()).toMatch(/silence of 2\d{3} ms: the process was stalled/);
  });
});

describe('a sound that comes late', () => {
  it('is resumed by the same rule and counted as the source’s gap', async () => {
    const { clock, sink, player } = rig();
    const hand = new HandSound();
    const speech = player.speak(hand);
    hand.push(ramp(6400));
    await clock.advance(1000);
    hand.push(ramp(6400, 6401));
    hand.end();
    await clock.advance(3000);
    const { gapsMs, maxHeldMs } = sink.playback();
    expect(maxHeldMs).toBeLessThanOrEqual(165);
    expect(gapsMs.length).toBeGreaterThanOrEqual(1);
    const end = await speech.finished;
    expect(end).toMatchObject({ how: 'completed', gaps: { count: 1, bySource: 1 }, heardMs: 800 });
    expect(Math.abs(end.gaps.totalMs - 600)).toBeLessThan(25);
    // All of it came, around the silence that closed the mouth in between.
    expect(sink.heard.filter((sample) => sample !== 0)).toEqual(ramp(12_800));
    expect(sink.segments().every((count) => count % 256 === 0)).toBe(true);
  });

  it('sends what is there before the agent runs dry, even if it is less than a frame', async () => {
    const { clock, sink, player } = rig();
    const hand = new HandSound();
    player.speak(hand);
    hand.push(ramp(FRAME * 2 + 100));
    await clock.advance(200);
    expect(sink.heard.length).toBeGreaterThanOrEqual(FRAME * 2 + 100);
    expect(sink.playback().gapsMs).toEqual([]);
  });

  it.each([
    ['at once when a lot of it is there', 400, 0],
    ['as soon as it is known that the lead is all that comes at once', 120, 60],
    ['when nothing followed for the lead', 40, 120],
  ])('sends the first frame %s', async (_, soundMs, afterMs) => {
    const { clock, sink, player } = rig();
    const hand = new HandSound();
    player.speak(hand);
    await clock.advance(500);
    const atMs = clock.nowMs();
    hand.push(ramp(soundMs * 16));
    await clock.advance(afterMs);
    expect(sink.frames[0]?.atMs).toBe(atMs + afterMs);
  });

  it.each([
    ['a program that writes often', 20, 3],
    ['arecord’s period', 125, 20],
    ['long pieces that come late', 200, 45],
  ])('plays a pipe that delivers in real time without a gap: %s', async (_, pieceMs, lateMs) => {
    const { clock, sink, player } = rig({ lead: 80 });
    const hand = new HandSound();
    const speech = player.speak(hand);
    const startMs = clock.nowMs();
    for (let i = 1; i * pieceMs < 8000; i += 1) {
      // Late by up to so much, in no order.
      const dueMs = startMs + i * pieceMs + ((i * 7) % 10) * (lateMs / 9);
      await clock.advance(dueMs - clock.nowMs());
      hand.push(ramp(pieceMs * 16));
    }
    hand.end();
    await clock.advance(1000);
    expect(sink.playback().gapsMs).toEqual([]);
    const { gaps, how } = await speech.finished;
    expect([how, gaps.count]).toEqual(['completed', 0]);
    expect(sink.playback().startMs - startMs, 'the delay that it costs').toBeLessThan(2 * pieceMs + 130);
  });

  it('makes one silence of a source that falters, not one after another', async () => {
    const { clock, sink, player } = rig({ lead: 80 });
    const hand = new HandSound();
    const speech = player.speak(hand);
    const flow = async (pieces: number): Promise<void> => {
      for (let i = 0; i < pieces; i += 1) {
        hand.push(ramp(320));
        await clock.advance(20);
      }
    };
    await flow(50);
    await clock.advance(280);
    await flow(200);
    hand.end();
    await clock.advance(1000);
    expect(sink.playback().gapsMs).toHaveLength(1);
    expect((await speech.finished).gaps).toMatchObject({ count: 1, bySource: 1 });
  });
});

describe('a source that ends badly', () => {
  it('is spoken up to there, and the speech fails with its reason', async () => {
    const { clock, sink, player } = rig();
    const hand = new HandSound();
    const speech = player.speak(hand);
    hand.push(ramp(5000));
    hand.fail(new BridgeError('SOUND_BROKEN', 'hand.wav is damaged.'));
    await clock.advance(2000);
    expectWhole(sink.heard, ramp(5000));
    const end = await speech.finished;
    expect(end.how).toBe('failed');
    expect(end.error?.code).toBe('SOUND_BROKEN');
    expect(end.heardMs).toBeCloseTo(312.5, 1);
  });

  it('fails at once when nothing came, without waiting for the agent', async () => {
    const { clock, sink, player } = rig();
    sink.prepare = () => new Promise(() => undefined);
    const hand = new HandSound();
    const speech = player.speak(hand);
    hand.fail(new BridgeError('FILE_NOT_FOUND', 'hand.wav does not exist.'));
    await clock.advance(1);
    expect(await speech.finished).toMatchObject({
      how: 'failed',
      heardMs: 0,
      error: { code: 'FILE_NOT_FOUND' },
    });
    expect(await speech.started).toBe(false);
  });

  it('is an error when it holds no sound', async () => {
    const { clock, player } = rig();
    const speech = player.speak(sound(new Int16Array(0)));
    await clock.advance(1);
    expect((await speech.finished).error?.code).toBe('SOUND_EMPTY');
  });

  it('does not keep the next speech from being whole', async () => {
    const { clock, sink, player } = rig();
    const hand = new HandSound();
    player.speak(hand);
    hand.push(ramp(1000));
    hand.fail(new Error('boom'));
    const next = player.speak(sound(ramp(3000)));
    await clock.advance(3000);
    expect((await next.finished).how).toBe('completed');
    expect(sink.segments()).toEqual([1024, 3072]);
  });
});

describe('memory', () => {
  it('pulls a long sound no faster than it is played', async () => {
    const { clock, player } = rig({ bufferMs: 1000 });
    let pulled = 0;
    player.speak({
      label: 'endless',
      live: false,
      async *open({ signal }) {
        while (!signal.aborted) {
          pulled += 1600;
          yield { samples: new Int16Array(1600).fill(7), sampleRateHz: 16_000, channels: 1 };
        }
      },
    });
    await clock.advance(10_000);
    expect(pulled / 16).toBeLessThan(10_000 + 1000 + 160 + 200);
  });

  it('drops the oldest of a live sound at the bound and says how much', async () => {
    const { clock, sink, player } = rig({ bufferMs: 400 });
    const hand = new HandSound(true);
    const speech = player.speak(hand);
    await clock.advance(0);
    hand.push(ramp(16_000));
    hand.end();
    await clock.advance(3000);
    const end = await speech.finished;
    // It may wait as long as the lead and a stall's 300 ms.
    expect(Math.abs(end.droppedMs - 580)).toBeLessThan(8);
    expect(Math.abs(sink.heard.length / 16 - 420)).toBeLessThan(24);
  });
});

describe('level', () => {
  it('is a factor by the speech’s own gain, and bit-exact at 0 dB', async () => {
    const { clock, sink, player } = rig();
    player.speak(sound(new Int16Array(3200).fill(10_000)), { gainDb: -6 });
    await clock.advance(1000);
    expect(sink.heard[1000]).toBe(Math.round(10_000 * 10 ** (-6 / 20)));
  });

  it('changes without a step when the volume is turned', async () => {
    const { clock, sink, player } = rig();
    player.speak(sound(new Int16Array(32_000).fill(10_000)));
    await clock.advance(500);
    player.setGainDb(-20);
    await clock.advance(4000);
    const heard = sink.heard.subarray(0, 32_000);
    expect(heard.at(-1)).toBe(1000);
    for (let i = 1; i < heard.length; i += 1) expect(Math.abs(heard[i]! - heard[i - 1]!)).toBeLessThan(60);
  });
});

describe('live sound', () => {
  it.each([300, -300])(
    'from a clock %i ppm off neither piles up nor starves over twelve minutes',
    async (ppm) => {
      const { clock, sink, player } = rig({ lead: 80 });
      const hand = new HandSound(true);
      const speech = player.speak(hand);
      const periodMs = 40 / (1 + ppm / 1e6);
      const block = new Int16Array(640).fill(500);
      let due = clock.nowMs();
      let gapsAfterSettling = 0;
      let latestMs = 0;
      player.on('gap', () => {
        if (latestMs > 120_000) gapsAfterSettling += 1;
      });
      for (latestMs = 0; latestMs < 720_000; latestMs += periodMs) {
        hand.push(block);
        due += periodMs;
        await clock.advance(due - clock.nowMs());
        sink.events.length = 0;
      }
      expect(gapsAfterSettling).toBe(0);
      hand.end();
      await clock.advance(2000);
      expect((await speech.finished).droppedMs).toBe(0);
    },
    120_000,
  );

  it('gathers the lead before its first frame, then flows without a gap', async () => {
    const { clock, sink, player } = rig({ lead: 80 });
    const hand = new HandSound(true);
    player.speak(hand);
    for (let i = 0; i < 100; i += 1) {
      hand.push(ramp(320, 1 + i * 320));
      await clock.advance(20);
    }
    expect(sink.frames.length).toBeGreaterThan(40);
    expect(sink.playback().gapsMs).toEqual([]);
    expect(sink.playback().startMs).toBeGreaterThanOrEqual(1060);
  });
});

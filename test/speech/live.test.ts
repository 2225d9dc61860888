import { describe, expect, it } from 'vitest';
import type { Logger } from '../../src/base/logger.js';
import { silentLogger } from '../../src/base/logger.js';
import { FINE_LOOKAHEAD_SAMPLES } from '../../src/audio/fine-resampler.js';
import { gatedSound } from '../../src/source/gated.js';
import { AdaptiveLead } from '../../src/speech/lead.js';
import { concat, noise, softNoise } from '../support/signals.js';
import { HandSound, rig } from '../support/speech-rig.js';

const PERIOD = 320;
const PERIOD_MS = 20;
const hiss = (): Int16Array => new Int16Array(PERIOD).fill(500);

describe('the latency of live sound', () => {
  it('is the age of a frame’s oldest sample when it is written, from its capture on', async () => {
    const { clock, sink, player } = rig({ lead: 80 });
    const hand = new HandSound(true);
    const speech = player.speak(hand);
    const startMs = clock.nowMs();
    const clickEvery = 10;
    for (let i = 0; i < 400; i += 1) {
      const samples = hiss();
      if (i % clickEvery === 0) samples.fill(20_000, 100, 116);
      // The queue of the recorder keeps each piece back by 7 ms.
      hand.push(samples, startMs + i * PERIOD_MS - PERIOD_MS - 7);
      await clock.advance(PERIOD_MS);
    }
    const { latency } = speech.position;
    hand.end();
    await clock.advance(2000);
    // By what was heard: when the frame of each click left, less when its first sample was captured.
    const clicks = sink.frames.flatMap(({ atMs, samples }) => {
      const at = samples.findIndex((sample) => sample > 12_000);
      return at < 8 ? [] : [{ atMs, at }];
    });
    expect(clicks.length).toBeGreaterThan(30);
    const ages = clicks.map(({ atMs, at }) => {
      const nth = Math.round((atMs - startMs - 100) / (PERIOD_MS * clickEvery));
      return atMs - (startMs + nth * clickEvery * PERIOD_MS + 100 / 16 - PERIOD_MS - 7) + at / 16;
    });
    ages.sort((one, other) => one - other);
    // A period, its queue, two filters of 4 ms, a frame, and the fill that the drift is held at.
    expect(ages[0]).toBeGreaterThan(7 + 20 + 4);
    expect(ages.at(-1)).toBeLessThan(7 + 20 + 8 + 40 + 80);
    const end = await speech.finished;
    for (const told of [latency, end.latency]) {
      expect(told?.from).toBe('capture');
      expect(Math.abs(told!.p50Ms - ages[ages.length >> 1]!)).toBeLessThan(5);
      expect(told!.maxMs).toBeLessThan(7 + 20 + 8 + 40 + 80);
    }
    expect(end.latency!.maxMs).toBeGreaterThan(ages.at(-1)! - 5);
  });

  it('counts from the arrival where the source does not tell when it captured', async () => {
    const { clock, player } = rig({ lead: 80 });
    const hand = new HandSound(true);
    const speech = player.speak(hand);
    for (let i = 0; i < 50; i += 1) {
      hand.push(hiss());
      await clock.advance(PERIOD_MS);
    }
    const { latency } = speech.position;
    expect(latency?.from).toBe('arrival');
    expect(latency?.p50Ms).toBeGreaterThan(PERIOD_MS);
    expect(latency?.p50Ms).toBeLessThan(120);
  });

  it('is nothing for sound that is not live', async () => {
    const { clock, player } = rig();
    const hand = new HandSound();
    const speech = player.speak(hand);
    hand.push(new Int16Array(16_000).fill(5), 3);
    hand.end();
    await clock.advance(500);
    expect(speech.position.latency).toBeUndefined();
    await clock.advance(2000);
    expect((await speech.finished).latency).toBeUndefined();
  });
});

describe('live sound that piles up', () => {
  it.each([100, -100])(
    'after a stall drops down to its target, says so, and is as fresh as before (clock %i ppm off)',
    async (ppm) => {
      const logged: string[] = [];
      const logger: Logger = { ...silentLogger, warn: (_fields, message) => void logged.push(message) };
      const { clock, sink, player } = rig({ lead: 80, logger: { ...logger, child: () => logger } });
      const hand = new HandSound(true);
      const speech = player.speak(hand);
      const warnings: string[] = [];
      speech.on('warning', (warning) => warnings.push(warning));
      const startMs = clock.nowMs();
      const periodMs = PERIOD_MS / (1 + ppm / 1e6);
      let pieces = 0;
      const flow = async (ms: number): Promise<void> => {
        const untilMs = clock.nowMs() + ms;
        while (clock.nowMs() < untilMs) {
          const dueMs = startMs + pieces * periodMs;
          if (dueMs > clock.nowMs()) await clock.advance(dueMs - clock.nowMs());
          hand.push(hiss(), dueMs - PERIOD_MS);
          pieces += 1;
          await clock.advance(0);
        }
      };
      await flow(60_000);
      const before = speech.position.latency!;
      // Half a second in which nothing runs; the recorder goes on, and all of it comes at once.
      await clock.stall(500);
      for (; startMs + pieces * periodMs <= clock.nowMs(); pieces += 1)
        hand.push(hiss(), startMs + pieces * periodMs - PERIOD_MS);
      await clock.advance(0);
      const gapsAtStall = sink.playback().gapsMs.length;
      await flow(30_000);
      const after = speech.position.latency!;
      expect(after.p50Ms).toBeLessThan(before.p50Ms + 30);
      expect(sink.playback().gapsMs.slice(gapsAtStall)).toEqual([]);
      const { droppedMs } = speech.position;
      expect(droppedMs).toBeGreaterThan(250);
      const told = warnings.filter((warning) => warning.includes('dropped'));
      expect(told).toHaveLength(1);
      expect(told[0]).toMatch(/^\d+ ms of live sound \(hand\.wav\) were dropped because it came faster than/);
      expect(logged).toEqual(told);
      hand.end();
      await clock.advance(1000);
      expect((await speech.finished).droppedMs).toBe(droppedMs);
    },
  );

  it('is not squeezed any more once the drop has taken what was too much', async () => {
    const { clock, sink, player } = rig({ lead: 80 });
    const hand = new HandSound(true);
    const speech = player.speak(hand);
    // Three in a hundred too fast, more than any squeezing can hold, until it overflows.
    while (speech.position.droppedMs === 0) {
      hand.push(hiss());
      await clock.advance(PERIOD_MS / 1.03);
    }
    await clock.advance(0);
    const frames = sink.frames.length;
    for (let i = 0; i < 100; i += 1) {
      const samples = hiss();
      if (i === 10 || i === 90) samples.fill(20_000, 100, 116);
      hand.push(samples);
      await clock.advance(PERIOD_MS);
    }
    await clock.advance(200);
    const heard = concat(sink.frames.slice(frames).map(({ samples }) => samples));
    const [first, last] = [
      heard.findIndex((sample) => sample > 12_000),
      heard.findLastIndex((sample) => sample > 12_000),
    ];
    const squeezedPpm = ((80 * PERIOD) / (last - first - 15)) * 1e6 - 1e6;
    expect(Math.abs(squeezedPpm)).toBeLessThan(2000);
  });

  it('while it is paused keeps what is fresh, and tells of drops no more than every ten seconds', async () => {
    const { clock, player } = rig({ lead: 80 });
    const hand = new HandSound(true);
    const speech = player.speak(hand);
    const warnings: string[] = [];
    speech.on('warning', (warning) => warnings.push(warning));
    const flow = async (ms: number): Promise<void> => {
      for (let i = 0; i < ms / PERIOD_MS; i += 1) {
        hand.push(hiss(), clock.nowMs() - PERIOD_MS);
        await clock.advance(PERIOD_MS);
      }
    };
    await flow(1000);
    player.pause();
    await flow(15_000);
    player.resume();
    await flow(6000);
    expect(warnings.filter((warning) => warning.includes('dropped')).length).toBeLessThanOrEqual(2);
    expect(speech.position.droppedMs).toBeGreaterThan(14_000);
    expect(speech.position.latency?.maxMs).toBeLessThan(600);
  });

  it('before the agent is ready keeps only what is fresh', async () => {
    const { clock, sink, player } = rig({ lead: 80 });
    let ready!: () => void;
    sink.prepare = () => new Promise((resolve) => (ready = resolve));
    const hand = new HandSound(true);
    const speech = player.speak(hand);
    for (let i = 0; i < 100; i += 1) {
      hand.push(hiss(), clock.nowMs() - PERIOD_MS);
      await clock.advance(PERIOD_MS);
    }
    ready();
    await clock.advance(0);
    hand.push(hiss(), clock.nowMs() - PERIOD_MS);
    await clock.advance(PERIOD_MS);
    expect(speech.position.latency?.maxMs).toBeLessThan(80 + 40 + 3 * PERIOD_MS);
    expect(speech.position.droppedMs).toBeGreaterThan(1800);
  });
});

describe('a gate that closes between two utterances', () => {
  it.each([0, 250])(
    'lets the end of the first one out, also when it is %i ms late for it',
    async (stallMs) => {
      const { clock, sink, player } = rig({ lead: 80 });
      const hand = new HandSound(true, 260);
      const speech = player.speak(hand);
      const warnings: string[] = [];
      speech.on('warning', (warning) => warnings.push(warning));
      const say = async (level: number, pieces: number): Promise<void> => {
        for (let i = 0; i < pieces; i += 1) {
          hand.push(new Int16Array(PERIOD).fill(level), clock.nowMs() - PERIOD_MS);
          await clock.advance(PERIOD_MS);
        }
      };
      await say(500, 51);
      if (stallMs > 0) await clock.stall(stallMs);
      await clock.advance(2000);
      const first = sink.heard;
      expect(first.filter((sample) => sample > 450).length / 16).toBeGreaterThan(51 * PERIOD_MS * 0.995);
      expect(sink.segments()).toHaveLength(1);
      await say(900, 50);
      hand.end();
      await clock.advance(1000);
      const second = sink.heard.subarray(first.length);
      expect(second.findIndex((sample) => sample > 400)).toBeLessThanOrEqual(FINE_LOOKAHEAD_SAMPLES);
      expect(second[200], 'nothing of the first').toBeGreaterThan(800);
      const { gaps, latency } = await speech.finished;
      expect(latency!.maxMs).toBeLessThan(200 + stallMs);
      expect(gaps.totalMs).toBeLessThanOrEqual(stallMs);
      if (stallMs === 0) expect([gaps.count, warnings]).toEqual([0, []]);
    },
  );
});

describe('live sound at a lead that is found out', () => {
  it('goes on after a silence when the lead has become far longer than it was at its beginning', async () => {
    const lead = new AdaptiveLead();
    const { clock, sink, player } = rig({ lead });
    const hand = new HandSound(true);
    player.speak(hand);
    const flow = async (pieces: number): Promise<void> => {
      for (let i = 0; i < pieces; i += 1) {
        hand.push(hiss(), clock.nowMs() - PERIOD_MS);
        await clock.advance(PERIOD_MS);
      }
    };
    await flow(100);
    // The link turns bad.
    lead.markReturned(450, 400);
    await flow(50);
    expect(player.leadMs).toBeGreaterThan(450);
    await clock.advance(1000);
    const before = sink.heard.length;
    await flow(150);
    // The lead is gathered first.
    expect((sink.heard.length - before) / 16).toBeGreaterThan(150 * PERIOD_MS - 600);
  });
});

describe('the end of a word', () => {
  it.each([120, 500])(
    'is heard without the next word, where it came while sound still played, at a lead of %i ms',
    async (lead) => {
      const { clock, sink, player } = rig({ lead });
      const hand = new HandSound(true);
      player.speak(hand);
      const periods = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i += 1) {
          hand.push(new Int16Array(PERIOD).fill(800), clock.nowMs() - PERIOD_MS);
          await clock.advance(PERIOD_MS);
        }
      };
      const count = Math.ceil(lead / PERIOD_MS) + 5;
      await periods(count);
      // It flows: what comes now leaves at once.
      await clock.advance(lead / 2);
      await periods(1);
      await clock.advance(5000);
      const loud = sink.heard.filter((sample) => Math.abs(sample - 800) < 80).length;
      expect(loud).toBeGreaterThan((count + 1) * PERIOD * 0.995 - 16);
      expect(sink.segments(), 'the mouth is closed').toHaveLength(1);
    },
  );
});

describe('a word shorter than the lead', () => {
  it.each([
    [1, 80, 0],
    [4, 500, 0],
    [4, 120, 260],
    [20, 500, 260],
  ])(
    'of %i pieces at a lead of %i ms is heard whole, without the next one',
    async (pieces, lead, burstMs) => {
      const { clock, sink, player } = rig({ lead });
      const hand = new HandSound(true, burstMs);
      const speech = player.speak(hand);
      const warnings: string[] = [];
      speech.on('warning', (warning) => warnings.push(warning));
      const say = async (level: number): Promise<void> => {
        const before = sink.frames.length;
        for (let i = 0; i < pieces; i += 1) {
          hand.push(new Int16Array(PERIOD).fill(level), clock.nowMs() - PERIOD_MS);
          await clock.advance(PERIOD_MS);
        }
        const saidAtMs = clock.nowMs();
        await clock.advance(5000);
        const isLoud = (sample: number): boolean => Math.abs(sample - level) < level / 10;
        const frames = sink.frames.slice(before).filter(({ samples }) => samples.some(isLoud));
        const loud = frames.reduce((sum, { samples }) => sum + samples.filter(isLoud).length, 0);
        // The clock’s correction may stretch it by a little, and its filter rounds the edges.
        expect(Math.abs(loud - pieces * PERIOD)).toBeLessThan(16 + pieces * PERIOD * 0.005);
        expect(frames.at(-1)!.atMs - saidAtMs).toBeLessThan(Math.max(lead, 100) + pieces * PERIOD_MS + 30);
      };
      await say(500);
      expect(sink.segments(), 'the mouth is closed').toHaveLength(1);
      await say(900);
      await say(700);
      hand.end();
      await clock.advance(1000);
      const end = await speech.finished;
      expect(end).toMatchObject({ how: 'completed', droppedMs: 0 });
      expect(end.latency!.maxMs).toBeLessThan(lead + 150 + pieces * PERIOD_MS);
      if (burstMs > 0) expect([end.gaps.count, warnings]).toEqual([0, []]);
    },
  );
});

describe('a live source that falters', () => {
  it('makes one silence of it, not one after another: the lead is gathered anew first', async () => {
    const { clock, sink, player } = rig({ lead: 80 });
    const hand = new HandSound(true);
    const speech = player.speak(hand);
    const flow = async (pieces: number): Promise<void> => {
      for (let i = 0; i < pieces; i += 1) {
        hand.push(hiss(), clock.nowMs() - PERIOD_MS);
        await clock.advance(PERIOD_MS);
      }
    };
    await flow(50);
    await clock.advance(180);
    await flow(200);
    expect(sink.playback().gapsMs).toHaveLength(1);
    hand.end();
    await clock.advance(1000);
    expect((await speech.finished).gaps).toMatchObject({ count: 1, bySource: 1 });
  });
});

describe('a gate’s pre-roll', () => {
  it.each([0, 200, 250, 700, 2000])('of %i ms comes through whole', async (preRollMs) => {
    const { clock, sink, player } = rig({ lead: 80 });
    const hand = new HandSound(true);
    const opened: boolean[] = [];
    const speech = player.speak(
      gatedSound(hand, { preRollMs, hangOverMs: 100, onChange: (open) => opened.push(open) }),
    );
    const silence = noise(16_000 * 3, 8);
    const voice = softNoise(9600, 7000);
    const samples = concat([silence, voice, silence.subarray(0, 16_000)]);
    for (let at = 0; at < samples.length; at += PERIOD) {
      hand.push(samples.subarray(at, at + PERIOD), clock.nowMs() - PERIOD_MS);
      await clock.advance(PERIOD_MS);
    }
    hand.end();
    await clock.advance(4000);
    expect(opened).toEqual([true, false]);
    const end = await speech.finished;
    expect(end).toMatchObject({ how: 'completed', droppedMs: 0 });
    // The voice, all of the pre-roll, and what the gate adds behind.
    expect(end.heardMs).toBeGreaterThan(600 + preRollMs);
    const loudAt = sink.heard.findIndex((sample) => Math.abs(sample) > 1000);
    expect(loudAt / 16).toBeGreaterThan(preRollMs - 20);
    expect(end.latency!.maxMs).toBeGreaterThan(preRollMs);
  });
});

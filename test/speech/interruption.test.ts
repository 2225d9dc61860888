import { describe, expect, it } from 'vitest';
import { BridgeError } from '../../src/base/errors.js';
import { HandSound, ramp, rig, sound } from '../support/speech-rig.js';

describe('an interruption', () => {
  it('lets not one sample leave beyond a short fade, and closes the segment whole', async () => {
    const { clock, sink, player } = rig();
    const speech = player.speak(sound(new Int16Array(64_000).fill(10_000)));
    await clock.advance(1000);
    const before = sink.heard.length;
    void player.interrupt({ fadeMs: 15 });
    const after = sink.heard;
    const atMs = clock.nowMs();
    await clock.advance(3000);
    expect(sink.heard.length).toBe(after.length);
    // One block at the most: a fade that can end with a block is cut short for it, and needs no padding.
    expect(after.length - before).toBeLessThanOrEqual(256);
    expect(after.length % 256).toBe(0);
    expect(sink.events.at(-1)).toEqual({ kind: 'end', atMs });
    // The fade falls all the way, without a step that would be heard as a click.
    const fade = after.subarray(before - 1);
    for (let i = 1; i < fade.length; i += 1) expect(Math.abs(fade[i]! - fade[i - 1]!)).toBeLessThan(150);
    expect(fade.at(-1)).toBe(0);
    const end = await speech.finished;
    expect(end.how).toBe('stopped');
    expect(end.error?.code).toBe('SPEECH_STOPPED');
    expect(end.heardMs).toBeGreaterThanOrEqual((before + 120) / 16);
    expect(end.heardMs).toBeLessThanOrEqual((before + 240) / 16);
  });

  it('is silent within the lead and 80 ms, and the report comes then', async () => {
    const { clock, sink, player } = rig();
    player.speak(sound(ramp(64_000)));
    await clock.advance(1000);
    const calledAtMs = clock.nowMs();
    let reportedAtMs = 0;
    const report = player.interrupt().then((value) => {
      reportedAtMs = clock.nowMs();
      return value;
    });
    await clock.advance(2000);
    expect(sink.playback().endMs - calledAtMs).toBeLessThanOrEqual(120 + 40 + 40);
    expect(reportedAtMs - calledAtMs).toBeLessThan(400);
    expect((await report).heardMs).toBeGreaterThan(1000);
  });

  it('drops what waits and says how many', async () => {
    const { clock, player } = rig();
    const speeches = [0, 1, 2].map(() => player.speak(sound(ramp(16_000))));
    await clock.advance(300);
    const report = player.interrupt();
    await clock.advance(1000);
    expect((await report).dropped).toBe(2);
    for (const speech of speeches) expect((await speech.finished).how).toBe('stopped');
  });

  it('leaves the next speech whole, and lets it begin at once when it is the one that interrupts', async () => {
    const { clock, sink, player } = rig();
    player.speak(sound(ramp(64_000)));
    await clock.advance(1000);
    const atMs = clock.nowMs();
    const next = player.speak(sound(ramp(4001, 20_000)), { when: 'interrupt' });
    await clock.advance(3000);
    expect((await next.finished).heardMs).toBeCloseTo(4001 / 16, 2);
    const frames = sink.frames.filter(({ samples }) => samples[0] === 20_000);
    // The fade and its padding (31 ms) lie above the lead and a frame; the next frame waits for that to be played.
    expect(frames[0]!.atMs - atMs).toBeLessThanOrEqual(75);
    expect(sink.segments().every((count) => count % 256 === 0)).toBe(true);
    expect(sink.heard.subarray(-4096, -4096 + 4001)).toEqual(ramp(4001, 20_000));
  });

  it('sends the command that closes the mouth, at the end of what is heard; a speech that completes does not', async () => {
    const { clock, sink, player } = rig();
    const lines = (): unknown[] => sink.events.filter(({ kind }) => kind === 'command');
    player.speak(sound(ramp(8000)), { sendIfCut: 'LIPSYNC_START|0|sil,30' });
    await clock.advance(2000);
    expect(lines()).toEqual([]);
    player.speak(sound(ramp(32_000)), { sendIfCut: 'LIPSYNC_START|0|sil,30' });
    await clock.advance(500);
    void player.interrupt();
    await clock.advance(1000);
    expect(lines()).toMatchObject([{ line: 'LIPSYNC_START|0|sil,30' }]);
  });

  it('frees the sound that was cut off', async () => {
    const { clock, player } = rig();
    const hand = new HandSound();
    player.speak(hand);
    hand.push(ramp(16_000));
    await clock.advance(200);
    void player.interrupt();
    await clock.advance(10);
    expect(hand.closed).toBe(true);
  });

  it('ends a speech that still waits for its agent', async () => {
    const { clock, sink, player } = rig();
    sink.prepare = (_needs, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const speech = player.speak(sound(ramp(1600)));
    await clock.advance(100);
    await speech.stop();
    expect(speech.end).toMatchObject({ how: 'stopped', heardMs: 0 });
    expect(player.busy).toBe(false);
  });

  it('of a silent agent does nothing', async () => {
    const { player } = rig();
    expect(await player.interrupt()).toEqual({ heardMs: 0, dropped: 0 });
  });
});

describe('a pause', () => {
  it('falls silent with a fade, keeps its place, and every sample arrives', async () => {
    const { clock, sink, player } = rig();
    const samples = new Int16Array(32_000).fill(9000);
    const speech = player.speak(sound(samples));
    await clock.advance(1000);
    player.pause();
    expect(speech.state).toBe('paused');
    const sent = sink.heard.length;
    await clock.advance(5000);
    expect(sink.heard.length).toBe(sent);
    const heldPosition = speech.positionMs;
    await clock.advance(1000);
    expect(speech.positionMs).toBe(heldPosition);
    player.resume();
    expect(speech.state).toBe('speaking');
    await clock.advance(5000);
    const end = await speech.finished;
    expect(end).toMatchObject({ how: 'completed', heardMs: 2000, gaps: { count: 0 } });
    // 2 s of sound and the padding of two segments.
    expect(sink.segments().reduce((a, b) => a + b)).toBe(sink.heard.length);
    expect(sink.heard.length - 32_000).toBeLessThan(512);
    expect(sink.segments()).toHaveLength(2);
  });

  it('holds back speeches that come while it lasts', async () => {
    const { clock, sink, player } = rig();
    player.pause();
    const speech = player.speak(sound(ramp(1600)));
    await clock.advance(1000);
    expect(sink.frames).toHaveLength(0);
    player.resume();
    await clock.advance(1000);
    expect((await speech.finished).how).toBe('completed');
  });

  it('can be stopped in its midst', async () => {
    const { clock, player } = rig();
    const speech = player.speak(sound(ramp(32_000)));
    await clock.advance(500);
    player.pause();
    await clock.advance(500);
    void speech.stop();
    await clock.advance(500);
    expect((await speech.finished).how).toBe('stopped');
  });
});

describe('an agent that is lost', () => {
  const lost = new BridgeError('AGENT_LOST', 'gone');

  it('ends the speech with what was heard, and the next waits for the agent', async () => {
    const { clock, sink, player } = rig();
    const speech = player.speak(sound(ramp(32_000)));
    const next = player.speak(sound(ramp(3200, 20_000)));
    await clock.advance(1000);
    player.lost(lost);
    expect(await speech.finished).toMatchObject({ how: 'avatar-lost', error: { code: 'AGENT_LOST' } });
    expect(speech.end!.heardMs).toBeGreaterThan(900);
    expect(speech.end!.heardMs).toBeLessThanOrEqual(1000);
    await clock.advance(2000);
    expect((await next.finished).how).toBe('completed');
    expect(sink.heard.subarray(-3328, -128)).toEqual(ramp(3200, 20_000));
  });

  it('goes on from what was heard when that was asked for, and loses no sample', async () => {
    const { clock, sink, player } = rig();
    const samples = ramp(24_000);
    const speech = player.speak(sound(samples), { onAgentLost: 'resume' });
    await clock.advance(700);
    const heardMs = speech.positionMs;
    const before = sink.heard.length;
    player.lost(lost);
    expect(speech.state).toBe('preparing');
    await clock.advance(3000);
    const end = await speech.finished;
    expect(end).toMatchObject({ how: 'completed', heardMs: 1500 });
    const again = sink.heard.subarray(before);
    // It rises from silence for one frame, then carries the very samples from the place that was heard.
    const from = Math.floor(heardMs * 16);
    expect(again.subarray(640, 24_000 - from)).toEqual(samples.subarray(from + 640));
  });

  it('resumes a speech that was draining too', async () => {
    const { clock, sink, player } = rig({ lead: 500 });
    const speech = player.speak(sound(ramp(8000)), { onAgentLost: 'resume' });
    await clock.advance(300);
    expect(speech.state).toBe('draining');
    const before = sink.heard.length;
    player.lost(lost);
    await clock.advance(2000);
    expect(await speech.finished).toMatchObject({ how: 'completed', heardMs: 500 });
    expect(sink.heard.length).toBeGreaterThan(before + 3000);
  });
});

describe('an agent that stops reading', () => {
  it('gets nothing more, its source is not read, and goes on by the schedule’s rule', async () => {
    const { clock, sink, player } = rig();
    const samples = ramp(48_000);
    const speech = player.speak(sound(samples));
    await clock.advance(1000);
    sink.stalled = true;
    sink.readSamples = 12_000;
    player.readingChanged();
    const sent = sink.heard.length;
    await clock.advance(10_000);
    expect(sink.heard.length).toBe(sent);
    expect(speech.positionMs).toBe(750);
    sink.stalled = false;
    sink.readSamples = sent;
    const backAtMs = clock.nowMs();
    player.readingChanged();
    await clock.advance(10_000);
    expect(sink.heard.subarray(0, 48_000)).toEqual(samples);
    expect(await speech.finished).toMatchObject({ how: 'completed', heardMs: 3000 });
    // What it had not read may still lie ahead of it: nothing is added until that has been played.
    const next = sink.frames.find(({ atMs }) => atMs >= backAtMs)!;
    expect(next.samples.length).toBeLessThanOrEqual(640);
  });

  it('for good is given up in the end, and so is each speech after it, until it wakes up', async () => {
    const { clock, sink, player } = rig({ stallTimeoutMs: 5000 });
    const speech = player.speak(sound(ramp(48_000)));
    const waiting = player.speak(sound(ramp(8000)));
    await clock.advance(1000);
    sink.stalled = true;
    sink.readSamples = 12_000;
    player.readingChanged();
    await clock.advance(4900);
    expect(speech.state).toBe('speaking');
    await clock.advance(200);
    expect(await speech.finished).toMatchObject({
      how: 'failed',
      heardMs: 750,
      error: {
        code: 'AGENT_STALLED',
        message: expect.stringMatching(/read nothing for 5 s.*ramp\.wav/) as string,
      },
    });
    await clock.advance(5100);
    expect(await waiting.finished).toMatchObject({
      how: 'failed',
      heardMs: 0,
      error: { code: 'AGENT_STALLED' },
    });
    // What was cut was closed: the next utterance is whole.
    sink.stalled = false;
    sink.readSamples = sink.heard.length;
    player.readingChanged();
    const before = sink.heard.length;
    const next = player.speak(sound(ramp(8000)));
    await clock.advance(2000);
    expect(await next.finished).toMatchObject({ how: 'completed', heardMs: 500 });
    expect(sink.heard.subarray(before, before + 8000)).toEqual(ramp(8000));
    expect(before % 256).toBe(0);
  });
});

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { compareHeard } from '../../../src/simulator/index.js';
import type { Speech } from '../../../src/speech/speech.js';
import { type ServiceRig, startService, until } from '../../support/service-rig.js';
import { noise, sine } from '../../support/signals.js';
import { StreamClient } from '../../support/stream-client.js';
import { wavOf } from '../../support/wav.js';

let rig: ServiceRig;
afterEach(() => rig.close());

const RAW = 's16le:16000:1';

/** The speech that was accepted last, as the bridge knows it. */
function current(): Speech {
  const speech = rig.bridge.agent().speeches.at(-1);
  if (!speech) throw new Error('there is no speech');
  return speech;
}

describe('a stream', () => {
  it('greets with what the agent is doing', async () => {
    rig = await startService();
    await rig.avatar();
    const client = await StreamClient.open(rig.port);
    expect(client.told[0]).toMatchObject({
      type: 'hello',
      agent: { name: 'default', state: 'ready', speeches: [] },
      maxMessageBytes: 131_072,
    });
  });

  it('speaks raw sound sample by sample, tells all about it, and takes the next speech', async () => {
    rig = await startService({ leadMs: 1000 });
    const avatar = await rig.avatar();
    const client = await StreamClient.open(rig.port);
    const [first, second] = [noise(256 * 40, 20_000, 1), noise(256 * 20, 20_000, 2)];
    client.say({ type: 'start', format: RAW, label: 'one', ref: 'r1' });
    // A cut in the middle of a sample.
    client.sound(first, 1001);
    client.say({ type: 'end' });
    client.say({ type: 'start', format: RAW, label: 'two' });
    client.sound(second);
    client.say({ type: 'end' });
    const [one, two] = [await client.next('ended'), await client.next('ended', 2)];
    // That no gap comes is held on a clock in hand; here what counts is what was heard.
    expect(one).toMatchObject({ label: 'one', how: 'completed', error: null });
    expect(two).toMatchObject({ label: 'two', how: 'completed' });
    const heard = avatar.heard();
    expect(compareHeard(first, heard.subarray(0, first.length)).exact).toBe(true);
    expect(compareHeard(second, heard.subarray(first.length)).exact).toBe(true);
    const of = (id: string): string[] =>
      client.told.filter((event) => 'speech' in event && event.speech === id).map(({ type }) => type);
    expect(client.all('accepted')[0]).toMatchObject({ ref: 'r1', label: 'one', speech: one.speech });
    expect(of(one.speech)[0]).toBe('accepted');
    expect(of(one.speech).at(-1)).toBe('ended');
    expect(of(one.speech)).toEqual(expect.arrayContaining(['info', 'state', 'position']));
  });

  it('recognises the format when none is stated, and speaks while it comes', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const client = await StreamClient.open(rig.port);
    const sound = noise(16_000, 20_000);
    const file = wavOf(sound);
    client.say({ type: 'start' });
    client.socket.send(file.subarray(0, 16_044));
    await until(() => avatar.report().samplesHeard > 1000);
    client.socket.send(file.subarray(16_044));
    client.say({ type: 'end' });
    expect(await client.next('ended')).toMatchObject({ how: 'completed', durationMs: 1000 });
    expect(compareHeard(sound, avatar.heard()).samplesHeard).toBeGreaterThanOrEqual(16_000);
  });

  it('says when a mark has been heard, and not before', async () => {
    rig = await startService();
    await rig.avatar();
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'start', format: RAW });
    client.sound(sine(8000, 440, 9000));
    client.say({ type: 'mark', name: 'half', ref: 'm' });
    client.sound(sine(8000, 440, 9000));
    client.say({ type: 'mark', name: 'end' });
    client.say({ type: 'end' });
    const half = await client.next('mark');
    expect(half).toMatchObject({ name: 'half', ref: 'm', heard: true, positionMs: 500 });
    expect(current().positionMs).toBeGreaterThanOrEqual(500);
    expect(current().positionMs).toBeLessThan(900);
    await client.next('ended');
    expect(client.all('mark')[1]).toMatchObject({ name: 'end', heard: true, positionMs: 1000 });
    const types = client.told.map(({ type }) => type);
    expect(types.lastIndexOf('mark')).toBeLessThan(types.indexOf('ended'));
  });

  it('says which marks were not heard when a speech is stopped', async () => {
    rig = await startService();
    await rig.avatar();
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'start', format: RAW });
    client.sound(sine(4000, 440, 9000));
    client.say({ type: 'mark', name: 'early' });
    client.sound(sine(16_000 * 5, 440, 9000));
    client.say({ type: 'mark', name: 'late' });
    await client.next('mark');
    client.say({ type: 'stop' });
    expect(await client.next('ended')).toMatchObject({ how: 'stopped' });
    expect(client.all('mark')).toMatchObject([
      { name: 'early', heard: true },
      { name: 'late', heard: false },
    ]);
  });

  it('passes over what still comes after an interruption, until the next start', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'start', format: RAW });
    client.sound(sine(16_000, 440, 9000));
    await until(() => (rig.bridge.agent().speeches[0]?.positionMs ?? 0) > 200);
    client.say({ type: 'interrupt', fadeMs: 5, ref: 'cut' });
    client.sound(noise(4000, 9000));
    const answer = await client.next('interrupted');
    expect(answer).toMatchObject({ ref: 'cut', dropped: 0 });
    expect(answer.heardMs).toBeGreaterThan(200);
    expect(await client.next('ended')).toMatchObject({ how: 'stopped' });
    const before = avatar.heard().length;
    const next = noise(256 * 10, 9000, 3);
    client.say({ type: 'start', format: RAW });
    client.sound(next);
    client.say({ type: 'end' });
    await client.next('ended', 2);
    expect(compareHeard(next, avatar.heard().subarray(before)).exact).toBe(true);
    expect(client.all('error')).toEqual([]);
  });

  it('takes commands, cues, pauses and the volume in between', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'commands', commands: ['A|1', 'B|2'], ref: 'c' });
    expect(await client.next('commands')).toMatchObject({
      ref: 'c',
      results: [{ command: 'A|1', sent: true }, { sent: true }],
    });
    client.say({ type: 'start', format: RAW, cues: [{ atMs: 0, send: 'CUE|0' }] });
    client.say({ type: 'cue', atMs: 300, send: 'CUE|300' });
    client.sound(sine(9600, 440, 9000));
    client.say({ type: 'pause' });
    await until(() => rig.bridge.agent().snapshot().paused);
    client.say({ type: 'resume' });
    client.say({ type: 'gain', gainDb: -20 });
    client.say({ type: 'end' });
    expect(await client.next('ended')).toMatchObject({ how: 'completed', cuesSent: 2 });
    const lines = avatar.report().commands.map(({ line }) => line);
    expect(lines.filter((line) => /^(A|B|CUE)\|/.test(line))).toEqual(['A|1', 'B|2', 'CUE|0', 'CUE|300']);
    expect(Math.max(...avatar.heard().subarray(-2000, -500))).toBeLessThan(2000);
  });

  it('answers each fault with a problem, and goes on', async () => {
    rig = await startService();
    await rig.avatar();
    const client = await StreamClient.open(rig.port);
    const cases: [string, string, RegExp][] = [
      ['no json', 'REQUEST_INVALID', /no JSON/],
      ['[]', 'REQUEST_INVALID', /refused/],
      ['{"type":"dance"}', 'REQUEST_INVALID', /type/],
      ['{"type":"start","loud":true}', 'REQUEST_INVALID', /loud/],
      ['{"type":"start","format":"s16le:1"}', 'OPTION_INVALID', /s16le:1/],
      ['{"type":"start","leadMs":1}', 'REQUEST_INVALID', /leadMs/],
      ['{"type":"mark","name":"x"}', 'REQUEST_INVALID', /a say before it/],
      ['{"type":"cue","atMs":1,"send":"A|b"}', 'SPEECH_UNKNOWN', /no speech/],
      ['{"type":"stop","id":"s9"}', 'SPEECH_UNKNOWN', /s9/],
      ['{"type":"commands","commands":["SNDx"]}', 'COMMAND_INVALID', /SND/],
      ['{"type":"commands","commands":["EXECUTE|calc.exe"]}', 'COMMAND_DANGEROUS', /runs a program/],
      ['{"type":"gain","gainDb":99}', 'REQUEST_INVALID', /gainDb/],
    ];
    for (const [index, [text, code, detail]] of cases.entries()) {
      client.socket.send(text);
      const { error } = await client.next('error', index + 1);
      expect([text, error.code]).toEqual([text, code]);
      expect(error.detail).toMatch(detail);
    }
    // Sound that belongs to nothing is refused once, not with every message of it.
    client.say({ type: 'end' });
    client.sound(noise(1000, 9000), 100);
    client.say({ type: 'start', format: RAW });
    client.sound(noise(1000, 9000));
    client.say({ type: 'end' });
    expect(await client.next('ended')).toMatchObject({ how: 'completed' });
    expect(client.all('error').length).toBe(cases.length + 1);
  });

  it('holds a client back that is faster than the avatar, and what it says still comes through', async () => {
    // A lead of its own finding may grow beyond any bound of this test on a busy machine.
    rig = await startService({ bufferMs: 200, leadMs: 100 });
    const avatar = await rig.avatar();
    const client = await StreamClient.open(rig.port);
    const sound = noise(16_000 * 10, 20_000);
    client.say({ type: 'start', format: RAW });
    let sent = 0;
    // As a client should: while it is asked to wait, it waits.
    while (!client.paused) {
      client.sound(sound.subarray(sent, (sent += 4000)));
      await sleep(1);
    }
    expect(sent).toBeLessThan(sound.length);
    client.say({ type: 'commands', commands: ['A|1'] });
    await client.next('commands');
    await client.next('resume');
    expect(rig.bridge.agent().snapshot().heldMs).toBeLessThan(200);
    client.say({ type: 'interrupt' });
    await client.next('ended');
    expect(avatar.report().samplesHeard).toBeLessThan(sent);
  });

  it('leaves the sound of a client that ignores it where it is: TCP holds it, and all of it is spoken', async () => {
    rig = await startService(
      { bufferMs: 200 },
      { limits: { streamPauseBytes: 8 * 1024, streamShutBytes: 32 * 1024 } },
    );
    const avatar = await rig.avatar();
    const client = await StreamClient.open(rig.port);
    // A lead that outlasts a machine's stall: what is asked here is whether all comes, not how soon.
    client.say({ type: 'start', format: RAW, leadMs: 1000 });
    const sound = noise(16_000 * 3, 20_000);
    client.sound(sound, 4000);
    client.say({ type: 'end' });
    expect(await client.next('ended')).toMatchObject({ how: 'completed', gaps: { count: 0 } });
    expect(client.all('pause').length).toBeGreaterThan(0);
    expect(client.all('resume').length).toBe(client.all('pause').length);
    expect(compareHeard(sound, avatar.heard()).exact).toBe(true);
  });

  it('drops live sound that waits for its turn, the oldest first, and says so', async () => {
    rig = await startService();
    await rig.avatar();
    const other = await StreamClient.open(rig.port);
    other.say({ type: 'start', format: RAW });
    other.sound(sine(16_000 * 20, 440, 9000));
    await until(() => rig.bridge.agent().speeches[0]?.state === 'speaking');
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'start', format: RAW, live: true });
    client.sound(sine(16_000 * 3, 440, 9000), 1280);
    const { message } = await client.next('warning');
    expect(message).toMatch(/live sound were dropped/);
    expect(client.all('pause')).toEqual([]);
    client.say({ type: 'stop' });
    expect((await client.next('ended')).droppedMs).toBeGreaterThanOrEqual(2000);
  });

  it('plays live sound as it comes', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'start', format: RAW, live: true });
    for (let i = 0; i < 40; i += 1) {
      client.sound(sine(640, 400, 9000));
      await sleep(40);
    }
    client.say({ type: 'end' });
    expect(await client.next('ended')).toMatchObject({ how: 'completed' });
    expect(avatar.report().samplesHeard).toBeGreaterThan(640 * 20);
  });
});

describe('a word of a live stream that is shorter than the lead', () => {
  it('is heard whole without the next one', async () => {
    rig = await startService({ leadMs: 500 });
    const avatar = await rig.avatar();
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'start', format: 's16le:48000:1', live: true });
    const word = sine(3840, 1000, 9000);
    const heardMs = (): number => {
      const heard = avatar.heard();
      const isLoud = (sample: number): boolean => Math.abs(sample) > 1500;
      return (heard.findLastIndex(isLoud) - heard.findIndex(isLoud)) / 16;
    };
    client.sound(word, 1920);
    await until(() => heardMs() > 78);
    client.sound(word, 1920);
    await until(() => heardMs() > 158);
    client.say({ type: 'end' });
    expect(await client.next('ended')).toMatchObject({ how: 'completed', droppedMs: 0 });
    expect(heardMs()).toBeLessThan(200);
  });
});

describe('a client that goes away', () => {
  it('in good order has ended its speech, which is spoken to its end', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const client = await StreamClient.open(rig.port);
    const sound = noise(256 * 60, 20_000);
    client.say({ type: 'start', format: RAW });
    client.sound(sound);
    client.socket.close(1000);
    await client.closed();
    await until(() => rig.bridge.agent().speeches.length === 0);
    expect(compareHeard(sound, avatar.heard()).exact).toBe(true);
  });

  it.each([
    ['without a word', (client: StreamClient) => client.socket.terminate()],
    ['as a page that is closed', (client: StreamClient) => client.socket.close(1001)],
  ])('%s: its unfinished speech is stopped, a finished one goes on', async (_how, go) => {
    rig = await startService({ bufferMs: 200 });
    await rig.avatar();
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'start', format: RAW, label: 'whole' });
    client.sound(sine(16_000, 440, 9000));
    client.say({ type: 'end' });
    client.say({ type: 'start', format: RAW, label: 'half' });
    client.sound(sine(16_000, 440, 9000));
    await client.next('position');
    const [whole, half] = rig.bridge.agent().speeches;
    go(client);
    expect(await half!.finished).toMatchObject({ how: 'stopped' });
    expect(await whole!.finished).toMatchObject({ how: 'completed' });
    await until(async () => (await rig.about()).streams === 0);
  });

  it('gives its place to the next one', async () => {
    rig = await startService({}, { limits: { maxStreams: 1 } });
    const client = await StreamClient.open(rig.port);
    const refused = new WebSocket(`ws://127.0.0.1:${rig.port}/api/agents/default/stream`);
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(429);
    refused.on('error', () => undefined);
    refused.terminate();
    client.socket.terminate();
    await until(async () => (await rig.about()).streams === 0);
    await StreamClient.open(rig.port);
  });

  it('or sends messages too long is closed, and the service goes on', async () => {
    rig = await startService({}, { limits: { maxStreamMessageBytes: 1000 } });
    const client = await StreamClient.open(rig.port);
    client.socket.send(new Uint8Array(1001));
    expect(await client.closed()).toBe(1009);
    await StreamClient.open(rig.port);
  });

  it('or does not read what it is told is dropped', async () => {
    rig = await startService({}, { limits: { maxFollowerBytes: 20_000 } });
    await rig.avatar();
    const client = await StreamClient.open(rig.port);
    client.socket.pause();
    // Each of these is answered with an error many times its size.
    const flood = setInterval(() => {
      for (let i = 0; i < 500; i += 1) client.socket.send('x');
    }, 1);
    await until(async () => (await rig.about()).streams === 0);
    clearInterval(flood);
  });
});

describe('the service', () => {
  it('ends every stream with the result of its speech when it closes', async () => {
    rig = await startService();
    await rig.avatar();
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'start', format: RAW });
    client.sound(sine(16_000 * 5, 440, 9000));
    await client.next('position');
    const closed = client.closed();
    await rig.bridge.close();
    expect(await closed).toBe(1001);
    expect(client.all('ended')).toMatchObject([{ how: 'stopped' }]);
  });

  it('says that the address of a stream takes a WebSocket', async () => {
    rig = await startService();
    const { status, json } = await rig.ask('GET', '/api/agents/default/stream');
    expect([status, json['code']]).toEqual([426, 'UPGRADE_REQUIRED']);
  });
});

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { until } from '../support/until.js';
import { BareServer, connected, ready, rules, voice } from './support/bare-server.js';

describe('a speech', () => {
  it('is heard sample by sample, recorded and reported', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    const sound = voice(16_000 / 2);
    const padded = new Int16Array(8_192);
    padded.set(sound);
    server.speak(padded);
    await until(() => simulator.report().samplesHeard === padded.length);
    expect(compareHeard(sound, simulator.heard())).toMatchObject({ exact: true, lostSamples: 0 });
    const report = simulator.report();
    expect(report).toMatchObject({
      alive: true,
      ready: true,
      wedged: false,
      samplesReceived: 8_192,
      samplesHeld: 0,
      gapCount: 0,
      audioFrames: 13,
    });
    expect(report.faults).toEqual([]);
    expect(report.firstSoundAfterMs).toBeCloseTo(45);
    expect(report.segments).toHaveLength(1);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);

    const folder = await mkdtemp(join(tmpdir(), 'heard-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await simulator.saveHeard(join(folder, 'heard.wav'));
    const file = readFileSync(join(folder, 'heard.wav'));
    expect(file.length).toBe(44 + padded.byteLength);
    expect([file.readUInt32LE(4), file.readUInt32LE(24), file.readUInt32LE(40)]).toEqual([
      file.length - 8,
      16_000,
      padded.byteLength,
    ]);
    expect(file.subarray(44)).toEqual(Buffer.from(padded.buffer));
    await expect(simulator.saveHeard(join(folder, 'no', 'heard.wav'))).rejects.toMatchObject({
      code: 'FILE_UNWRITABLE',
    });
  });

  it('before readiness and without a model is dropped, counted and told', async () => {
    const server = await BareServer.open();
    const dropped: (string | undefined)[] = [];
    const simulator = await connected(server, { readyAfterMs: 300 });
    simulator.on('audio', (audio) => dropped.push(audio.dropped));
    await sleep(60);
    server.sendAudio(voice(256));
    await simulator.whenReady();
    server.sendAudio(voice(512));
    server.socket.send('__AV_SETMODEL,nobody\n');
    server.sendAudio(voice(512));
    await until(() => dropped.length === 3);
    expect(dropped).toEqual(['not-ready', 'no-model', 'no-model']);
    expect(simulator.report()).toMatchObject({
      samplesReceived: 1_280,
      samplesHeard: 0,
      samplesDropped: { 'not-ready': 256, 'no-model': 1_024 },
    });
    expect(rules(simulator)).toEqual(['audio-before-ready', 'audio-without-model', 'audio-without-model']);
  });

  it('that is not padded loses its rest, and is faulted', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    server.speak(voice(1_000));
    await until(() => simulator.report().samplesDropped.remainder > 0);
    expect(simulator.report()).toMatchObject({ samplesHeard: 768, samplesDropped: { remainder: 232 } });
    expect(rules(simulator)).toEqual(['segment-not-padded']);
  });

  it('beyond what it can hold is dropped, counted and faulted', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server, { bufferMs: 200 });
    server.speak(voice(6_400));
    await until(() => simulator.report().samplesReceived === 6_400);
    expect(simulator.report().samplesDropped['buffer-full']).toBeGreaterThan(0);
    expect(new Set(rules(simulator))).toContain('audio-beyond-buffer');
  });

  it('costs no memory when nothing is recorded', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server, { record: false });
    server.speak(voice(2_560));
    await until(() => simulator.report().samplesHeard === 2_560);
    expect(simulator.heard()).toHaveLength(0);
  });
});

describe('the commands in the report', () => {
  it('are the last 1,000, and the number of all', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    for (let i = 0; i < 1_100; i++) server.socket.send(`C|${i}\n`);
    await until(() => simulator.report().commandCount === 1_100);
    expect(simulator.report().commands).toHaveLength(1_000);
    expect(simulator.report().commands.at(-1)).toMatchObject({ line: 'C|1099' });
  });
});

describe('text that is not UTF-8', () => {
  it('does not end it', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    server.socket.send(Buffer.from([0x41, 0xff, 0x0a]), { binary: false });
    await until(() => simulator.report().commandCount === 1);
    expect(simulator.report().notes.map(({ rule }) => rule)).toEqual(['invalid-utf8']);
  });
});

describe('its messages', () => {
  it('come as masked text, one each, with the echo of what was sent', async () => {
    const server = await BareServer.open();
    await ready(server);
    server.socket.send('VALUE_SET|v|世界\n');
    await until(() => server.received.includes('VALUE_EVENT_SET|v\n'));
    expect(server.received.slice(0, 3)).toEqual([
      'PLUGIN_EVENT_ENABLE|Variables\n',
      'PLUGIN_EVENT_ENABLE|VIManager\n',
      'MODEL_ADD|0|gene/Gene.pmd|0,-13,0\n',
    ]);
    expect(server.received).toContain('VALUE_SET|v|世界\n');
  });
});

describe('a message of several frames', () => {
  it('is taken whole, and noted', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    server.socket.send('FIRST|', { fin: false });
    server.socket.send('second\n', { fin: true });
    await until(() => simulator.report().commandCount === 1);
    expect(simulator.report().commands[0]!.line).toBe('FIRST|second');
    expect(simulator.report().notes.map(({ rule }) => rule)).toEqual(['continuation-frame']);
    expect(rules(simulator)).toEqual([]);
  });
});

describe('pings', () => {
  it('keep its own messages back for 10 ms, as anything does that comes in', async () => {
    const server = await BareServer.open();
    const clock = new FakeClock();
    const simulator = await connected(server, { clock, random: () => 0.5 });
    clock.advanceSync(100);
    server.socket.send('A|1\n');
    await until(() => simulator.report().commandCount === 1);
    clock.advanceSync(40);
    const { messagesSent } = simulator.report();
    server.socket.ping('mark');
    await until(() => simulator.report().marksAnswered === 1);
    clock.advanceSync(9);
    expect(simulator.report().messagesSent).toBe(messagesSent);
    clock.advanceSync(1);
    expect(simulator.report().messagesSent).toBe(messagesSent + 1);
  });

  it('are answered with their payload, after the data before them', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    const order: string[] = [];
    simulator.on('command', ({ line }) => order.push(line));
    server.socket.on('pong', (data: Buffer) => order.push(`pong ${data.toString()}`));
    for (let i = 0; i < 3; i++) {
      server.socket.send(`C|${i}\n`);
      server.socket.ping(`mark-${i}`);
    }
    await until(() => simulator.report().marksAnswered === 3 && server.pongs.length === 3);
    for (let i = 0; i < 3; i++) expect(order.indexOf(`C|${i}`)).toBeLessThan(order.indexOf(`pong mark-${i}`));
    expect(rules(simulator)).toEqual([]);
  });

  it('without a payload are answered with a zero byte, and faulted', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    server.socket.ping();
    await until(() => server.pongs.length === 1);
    expect(server.pongs[0]).toEqual(Buffer.from([0]));
    expect(rules(simulator)).toEqual(['empty-ping']);
  });

  it('wait while it does not read, and when the link jitters', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server, { readJitterMs: 30, random: () => 1 });
    simulator.stopReading();
    server.socket.ping('a');
    await sleep(100);
    expect(server.pongs).toHaveLength(0);
    simulator.resumeReading();
    await until(() => server.pongs.length === 1);
    const sentMs = performance.now();
    server.socket.ping('b');
    await sleep(5);
    server.socket.ping('c');
    await until(() => server.pongs.length === 3);
    expect(performance.now() - sentMs).toBeGreaterThan(15);
  });
});

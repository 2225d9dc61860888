import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import type { BridgeError } from '../../src/base/errors.js';
import { FakeClock } from '../support/fake-clock.js';
import {
  compareHeard,
  SimulatedAvatar,
  type RuleId,
  type SimulatorOptions,
} from '../../src/simulator/index.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A bare server: what it writes is what the test says. */
class BareServer {
  readonly requests: IncomingMessage[] = [];
  readonly received: string[] = [];
  readonly pongs: Buffer[] = [];
  /** Statuses for the next upgrade requests; then all are let in. */
  refusals: number[] = [];
  /** Written together with the 101. */
  withUpgrade: string[] = [];
  /** How long the whole process stands still behind it. */
  stallMs = 0;
  socket!: WebSocket;
  tcp!: Socket;

  private constructor(
    readonly http: Server,
    readonly url: string,
  ) {}

  static async open(): Promise<BareServer> {
    const http = createServer();
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const server = new BareServer(http, `ws://127.0.0.1:${(http.address() as AddressInfo).port}/chat`);
    const wss = new WebSocketServer({ noServer: true, autoPong: false });
    http.on('upgrade', (request: IncomingMessage, tcp: Socket, head: Buffer) => {
      server.requests.push(request);
      const status = server.refusals.shift();
      if (status !== undefined) {
        tcp.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
        return;
      }
      tcp.setNoDelay(true);
      if (server.withUpgrade.length > 0) tcp.cork();
      wss.handleUpgrade(request, tcp, head, (socket) => {
        server.socket = socket;
        server.tcp = tcp;
        socket.on('message', (data: Buffer) => server.received.push(data.toString()));
        socket.on('pong', (data: Buffer) => server.pongs.push(Buffer.from(data)));
        socket.on('error', () => undefined);
        for (const text of server.withUpgrade) socket.send(text);
        process.nextTick(() => {
          tcp.uncork();
          const untilMs = performance.now() + server.stallMs;
          while (performance.now() < untilMs);
        });
      });
    });
    cleanups.push(() => {
      for (const client of wss.clients) client.terminate();
      http.closeAllConnections();
      http.close();
    });
    return server;
  }

  sendAudio(samples: Int16Array): void {
    const payload = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
    const head = Buffer.from(`SND${String(payload.length).padStart(4, '0')}`);
    this.socket.send(Buffer.concat([head, payload]));
  }

  /** Sets a model and sends the samples in frames of 40 ms at once. */
  speak(samples: Int16Array): void {
    this.socket.send('__AV_SETMODEL,0\n');
    this.socket.send('SNDFILE\n');
    for (let at = 0; at < samples.length; at += 640) this.sendAudio(samples.slice(at, at + 640));
    this.socket.send('SNDBRKS\n');
  }
}

function avatar(options: SimulatorOptions): SimulatedAvatar {
  const simulator = new SimulatedAvatar({ readyAfterMs: 60, ...options });
  cleanups.push(() => simulator.leave());
  return simulator;
}

async function connected(
  server: BareServer,
  options: Partial<SimulatorOptions> = {},
): Promise<SimulatedAvatar> {
  const simulator = avatar({ url: server.url, ...options });
  await simulator.connect();
  return simulator;
}

async function ready(server: BareServer, options: Partial<SimulatorOptions> = {}): Promise<SimulatedAvatar> {
  const simulator = await connected(server, options);
  await simulator.whenReady();
  return simulator;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2_000 && !condition(); i++) await sleep(5);
  expect(condition()).toBe(true);
}

const rules = (simulator: SimulatedAvatar): RuleId[] => simulator.report().faults.map(({ rule }) => rule);
const voice = (samples: number): Int16Array =>
  Int16Array.from({ length: samples }, (_, i) => (i * 37) % 9_001);

describe('the upgrade', () => {
  it('is asked for as the real avatar does', async () => {
    const server = await BareServer.open();
    await connected(server);
    const { headers, httpVersion, method, url } = server.requests[0]!;
    expect([method, url, httpVersion]).toEqual(['GET', '/chat', '1.1']);
    expect(headers).toMatchObject({ 'x-app-type': 'MMDAgent', 'sec-websocket-version': '13' });
    expect(headers).not.toHaveProperty('origin');
    expect(headers).not.toHaveProperty('sec-websocket-extensions');
    expect(headers).not.toHaveProperty('sec-websocket-protocol');
  });

  it('keeps a query of the address', async () => {
    const server = await BareServer.open();
    await connected(server, { url: `${server.url}?token=a%20b` });
    expect(server.requests[0]!.url).toBe('/chat?token=a%20b');
  });

  it('is not tried again by default', async () => {
    const server = await BareServer.open();
    server.refusals = [503];
    const simulator = avatar({ url: server.url });
    await expect(simulator.connect()).rejects.toMatchObject({ code: 'AGENT_REFUSED' });
    expect(simulator.report()).toMatchObject({ alive: false, attempts: 1, died: { cause: 'refused' } });
    expect(server.requests).toHaveLength(1);
  });

  it('is tried again on the same path every 500 ms, and after a 429 with a suffix that grows', async () => {
    const server = await BareServer.open();
    server.refusals = [503, 429, 403, 429];
    const simulator = avatar({ url: server.url, retryCount: 4 });
    const startMs = performance.now();
    await simulator.connect();
    expect(performance.now() - startMs).toBeGreaterThan(1_390);
    expect(server.requests.map(({ url }) => url)).toEqual([
      '/chat',
      '/chat',
      '/chat-2',
      '/chat-2',
      '/chat-2-4',
    ]);
    expect(simulator.report()).toMatchObject({ attempts: 5, url: `${server.url}-2-4` });
  });

  it('says that no service is there', async () => {
    const server = await BareServer.open();
    server.http.close();
    const simulator = avatar({ url: server.url });
    const error = await simulator.connect().catch((thrown: unknown) => thrown as BridgeError);
    expect(error).toMatchObject({ code: 'SERVICE_NOT_RUNNING' });
    expect((error as BridgeError).message).toContain(server.url);
  });

  it('ends its waiting when it leaves', async () => {
    const server = await BareServer.open();
    server.http.close();
    const simulator = avatar({ url: server.url, retryCount: 1_000 });
    const connecting = simulator.connect();
    await sleep(50);
    simulator.leave();
    await expect(connecting).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('refuses an address that is none, and a second life', async () => {
    await expect(avatar({ url: 'here' }).connect()).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(avatar({ url: 'http://127.0.0.1/' }).connect()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    const server = await BareServer.open();
    const simulator = await connected(server);
    await expect(simulator.connect()).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('what comes together with the 101', () => {
  it('is read only when more comes', async () => {
    const server = await BareServer.open();
    server.withUpgrade = ['A|1\n'];
    const simulator = await connected(server);
    await sleep(150);
    expect(simulator.report().commandCount).toBe(0);
    server.socket.send('B|1\n');
    await until(() => simulator.report().commandCount === 2);
    expect(simulator.report().commands.map(({ line }) => line)).toEqual(['A|1', 'B|1']);
    expect(rules(simulator)).toEqual(['message-with-upgrade']);
  });
});

describe('a simulator whose own process stood still while the 101 came', () => {
  it('blames nobody for what was behind it by then, and reads it', async () => {
    const server = await BareServer.open();
    server.withUpgrade = ['A|1\n'];
    const simulator = new SimulatedAvatar({ url: server.url });
    server.stallMs = 120;
    await simulator.connect();
    await until(() => simulator.report().commandCount === 1);
    expect(rules(simulator)).toEqual([]);
  });
});

describe('the first 50 ms after the upgrade', () => {
  it.each<[number, RuleId | undefined]>([
    [5, 'message-with-upgrade'],
    [20, 'early-message'],
    [50, undefined],
  ])('a message after %d ms breaks %s', async (waitMs, rule) => {
    const server = await BareServer.open();
    const clock = new FakeClock();
    const simulator = await connected(server, { clock });
    clock.advanceSync(waitMs);
    server.socket.send('A|1\n');
    await until(() => simulator.report().commandCount === 1);
    const { faults, notes } = simulator.report();
    expect([...faults, ...notes].map((broken) => broken.rule)).toEqual(rule ? [rule] : []);
  });
});

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
    cleanups.push(() => rm(folder, { recursive: true }));
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

describe('it dies', () => {
  const death = (simulator: SimulatedAvatar): Promise<{ cause: string; detail: string }> =>
    new Promise((resolve) => simulator.once('died', resolve));

  it('of the end of its connection, with what it held', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    server.speak(voice(25_600));
    await until(() => simulator.report().samplesHeard > 0);
    const died = death(simulator);
    server.socket.terminate();
    expect(await died).toMatchObject({ cause: 'disconnected' });
    const { samplesDropped, samplesHeard, samplesHeld, state: now, alive } = simulator.report();
    expect({ now, alive, samplesHeld }).toEqual({ now: 'dead', alive: false, samplesHeld: 0 });
    expect(samplesDropped.died).toBeGreaterThan(0);
    expect(samplesHeard + samplesDropped.died).toBe(25_600);
  });

  it.each<[string, string | Buffer, RuleId]>([
    ['an empty message', '', 'empty-message'],
    ['a newline alone', '\n', 'newline-only'],
    ['8,192 bytes', Buffer.alloc(8_192, 'x'), 'message-too-long'],
    ['a line of 8,190 bytes', `${'x'.repeat(8_190)}\n`, 'line-too-long'],
  ])('of %s', async (_, message, rule) => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    const died = death(simulator);
    server.socket.send(message);
    expect(await died).toMatchObject({ cause: 'killed' });
    expect(rules(simulator)).toEqual([rule]);
    await until(() => server.socket.readyState === server.socket.CLOSED);
  });

  it('of a frame in two parts that lie 10 ms apart, not of two that follow at once', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    const frame = Buffer.concat([Buffer.from([0x82, 7]), Buffer.from('HALF|1\n')]);
    server.tcp.write(frame.subarray(0, 4));
    server.tcp.write(frame.subarray(4));
    await until(() => simulator.report().commandCount === 1);
    await sleep(40);
    expect(rules(simulator)).toEqual([]);
    const died = death(simulator);
    server.tcp.write(frame.subarray(0, 4));
    expect(await died).toMatchObject({ cause: 'killed' });
    expect(rules(simulator)).toEqual(['torn-frame']);
  });

  it('not of a frame whose rest was there, and only read late', async () => {
    const server = await BareServer.open();
    const clock = new FakeClock();
    const simulator = await connected(server, { clock });
    clock.advanceSync(100);
    const timers = clock.pendingTimers;
    const frame = Buffer.concat([Buffer.from([0x82, 7]), Buffer.from('HALF|1\n')]);
    server.tcp.write(frame.subarray(0, 4));
    await until(() => clock.pendingTimers > timers);
    server.tcp.write(frame.subarray(4));
    clock.advanceSync(10);
    await until(() => simulator.report().commandCount === 1);
    expect(simulator.state).toBe('ready');
  });

  it('before it is ready, and says so to who waits', async () => {
    const server = await BareServer.open();
    const simulator = await connected(server, { readyAfterMs: Number.POSITIVE_INFINITY });
    const waiting = simulator.whenReady();
    server.socket.terminate();
    await expect(waiting).rejects.toMatchObject({ code: 'AGENT_LOST' });
    await expect(simulator.whenReady()).rejects.toMatchObject({ code: 'AGENT_LOST' });
  });

  it('of what is no WebSocket frame', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    const died = death(simulator);
    server.tcp.write(Buffer.from([0xff, 0x01, 0x00]));
    expect(await died).toMatchObject({ cause: 'killed' });
    expect(rules(simulator)).toEqual(['broken-frame']);
  });

  it('when it is told to leave, without a CLOSE frame', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    const codes: number[] = [];
    server.socket.on('close', (code) => codes.push(code));
    simulator.leave();
    simulator.leave();
    await until(() => codes.length > 0);
    expect(codes).toEqual([1006]);
    expect(simulator.report().died).toMatchObject({ cause: 'left' });
  });

  it('in mid-speech when it is made to', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server, { faults: { dieAfterSamples: 1_280 } });
    const died = death(simulator);
    server.speak(voice(6_400));
    await died;
    expect(simulator.report().samplesReceived).toBe(1_280);
  });
});

describe('a CLOSE frame', () => {
  it('is not answered, and its payload is read as the head of the next command', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    const closed: number[] = [];
    server.socket.on('close', (code) => closed.push(code));
    server.socket.close(1000, 'bye');
    await until(() => rules(simulator).includes('close-frame'));
    await sleep(100);
    expect(closed).toEqual([]);
    expect(simulator.report().alive).toBe(true);
    expect(rules(simulator)).toEqual(['close-frame', 'unterminated-text']);
  });

  it('without a payload kills it', async () => {
    const server = await BareServer.open();
    const simulator = await ready(server);
    server.socket.close();
    await until(() => simulator.state === 'dead');
    expect(rules(simulator)).toEqual(['close-frame', 'empty-message']);
  });
});

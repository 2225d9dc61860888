import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { compareHeard, type SimulatedAvatar } from '../../src/simulator/index.js';
import { rawUpgrade, statusOf } from '../support/raw-http.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { StreamClient } from '../support/stream-client.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
afterEach(() => rig.close());

/** The machine may be busy: the cushion is a second, and what is missed past it is the service's fault. */
const LEAD = { leadMs: 1000, bufferMs: 10_000 };

const sockets = (): Promise<number> =>
  new Promise((resolve) => rig.bridge.listener.server.getConnections((_error, count) => resolve(count)));

/** Waits until nothing of what clients had opened is left, but for so many avatars. */
async function nothingLeft(avatars: number): Promise<void> {
  await until(
    () => rig.bridge.agents().every(({ speeches }) => speeches.length === 0),
    'the end of all',
    30_000,
  );
  await until(async () => {
    const { uploads, streams, followers } = await rig.about();
    return uploads === 0 && streams === 0 && followers === 0;
  });
  await until(() => rig.bridge.agents().length === avatars);
  // Upgraded sockets are counted too; the one that asks is gone by then.
  await until(async () => (await sockets()) === avatars);
}

/** Speaks through one avatar from now on, and tells when it is done what was heard of it. */
function speakThrough(avatar: SimulatedAvatar, seconds: number): Promise<void> {
  const sound = noise(16_000 * seconds, 9000);
  const spoken = rig.ask('POST', '/api/agents/default/speeches?wait=finished', { body: wavOf(sound) });
  return spoken.then(({ json }) => {
    expect(json).toMatchObject({ end: { how: 'completed', gaps: { count: 0 } } });
    expect(avatar.report()).toMatchObject({ gapCount: 0, faults: [], alive: true });
    expect(compareHeard(sound, avatar.heard()).exact).toBe(true);
  });
}

function openSocket(): Socket {
  const socket = connect(rig.port, '127.0.0.1');
  socket.on('error', () => undefined);
  return socket;
}

describe('two hundred clients at once', () => {
  it('are all served while an avatar keeps its pace, and leave nothing behind', async () => {
    rig = await startService(LEAD);
    const avatar = await rig.avatar();
    const others = await Promise.all(['a', 'b', 'c', 'd'].map((name) => rig.avatar({ name })));
    const spoken = speakThrough(avatar, 3);
    await until(() => avatar.report().samplesReceived > 0);
    const names = ['a', 'b', 'c', 'd'];
    const short = wavOf(noise(1600, 9000));
    const clients = Array.from({ length: 200 }, async (_, i): Promise<number> => {
      const at = `/api/agents/${names[i % 4]!}`;
      switch (Math.trunc(i / 4) % 5) {
        case 0:
          return (await rig.ask('POST', `${at}/speeches?label=${i}`, { body: short })).status;
        case 1: {
          const client = await StreamClient.open(rig.port, names[i % 4]);
          client.say({ type: 'start', format: 's16le:16000:1' });
          client.sound(noise(1600, 9000));
          client.say({ type: 'end' });
          const { how } = await client.next('ended');
          client.socket.close(1000);
          return how === 'completed' ? 202 : 500;
        }
        case 2: {
          const follower = rig.open('GET', '/api/events');
          follower.end();
          const [response] = (await once(follower, 'response')) as [IncomingMessage];
          await once(response, 'data');
          await sleep(200);
          follower.destroy();
          return response.statusCode!;
        }
        case 3:
          return (await rig.ask('POST', `${at}/commands`, { json: { commands: [`A|${i}`, 'B|2'] } })).status;
        default:
          return (await rig.ask('GET', i % 2 === 0 ? '/api/agents' : '/metrics')).status;
      }
    });
    const statuses = await Promise.all(clients);
    expect(new Set(statuses)).toEqual(new Set([200, 202]));
    await spoken;
    await nothingLeft(5);
    for (const other of others) {
      expect(other.report()).toMatchObject({ faults: [], alive: true });
      // Ten by upload and ten by stream, each padded to whole blocks.
      expect(other.report().samplesReceived).toBe(20 * 1792);
    }
  });
});

describe('clients that are slow, half open or gone', () => {
  it('cost their own connection and nothing else', async () => {
    rig = await startService(LEAD, {
      limits: { uploadIdleMs: 300, jsonBodyMs: 300, maxFollowerBytes: 20_000 },
    });
    const avatar = await rig.avatar();
    await rig.avatar({ name: 'other' });
    const spoken = speakThrough(avatar, 3);
    const opened: Socket[] = [];
    const say = (text: string): void => {
      const socket = openSocket();
      opened.push(socket);
      socket.write(text, 'latin1');
      // Nobody reads what it is told.
      socket.pause();
    };
    const post = (path: string, rest: string): string =>
      `POST /api/agents/${path} HTTP/1.1\r\nHost: localhost\r\n${rest}`;
    const riff = `RIFF\u00ff\u00ff\u00ff\u0000WAVEfmt \u0010\u0000\u0000\u0000`;
    for (let i = 0; i < 6; i += 1) {
      say('GET /api HT');
      say('GET /api HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
      say(post('other/commands', 'Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"comm'));
      say(post('other/speeches', `Content-Length: 100000\r\n\r\n${riff}`));
      say(post('other/speeches', `Transfer-Encoding: chunked\r\n\r\n4\r\n${riff.slice(0, 4)}\r\n10\r\nab`));
      say(
        post(`nobody-${i}/speeches`, `Accept: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n${riff}`),
      );
      say('GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
      say('GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(20));
    }
    await until(async () => (await rig.about()).uploads >= 12);
    // Half of them go without a word, the others stay as they are until they are put out.
    opened.forEach((socket, i) => i % 2 === 0 && socket.resetAndDestroy());
    for (let i = 0; i < 200; i += 1) await rig.bridge.agent('other').send(`A|${'x'.repeat(1000)}`);
    await until(async () => (await rig.about()).uploads === 0);
    await spoken;
    // A request whose head never comes has a bound too, which is too long for a test to wait for.
    expect(rig.bridge.listener.server.headersTimeout).toBeGreaterThan(0);
    expect(rig.bridge.listener.server.headersTimeout).toBeLessThanOrEqual(60_000);
    opened.forEach((socket) => socket.destroy());
    await nothingLeft(2);
  });
});

describe('an upload of an hour', () => {
  it('is held back to the pace of the avatar, and fills no memory', async () => {
    rig = await startService(LEAD);
    const avatar = await rig.avatar();
    const totalBytes = 60 * 1024 * 1024;
    let taken: Socket | undefined;
    rig.bridge.listener.server.once('connection', (socket: Socket) => (taken = socket));
    const upload = rig.open('POST', '/api/agents/default/speeches?format=s16le:16000:1', {
      headers: { 'content-length': totalBytes },
    });
    upload.on('error', () => undefined);
    const chunk = Buffer.alloc(64 * 1024, 1);
    let leftBytes = totalBytes;
    const pump = (): void => {
      while (leftBytes > 0) {
        leftBytes -= chunk.length;
        if (!upload.write(chunk)) return void upload.once('drain', pump);
      }
    };
    pump();
    await until(() => avatar.report().samplesReceived > 0);
    const memory = process.memoryUsage().rss;
    await until(() => avatar.report().samplesReceived > 16_000 * 2, 'two seconds of sound', 30_000);
    // Read from the system: what sounded, what is converted ahead, what is read ahead, of which as much again may be in
    // hand, and a chunk at each step. Not the rest.
    const aheadBytes =
      32_000 * (LEAD.bufferMs / 1000) + 2 * rig.service.limits.uploadAheadBytes + 4 * chunk.length;
    expect(taken!.bytesRead).toBeLessThan(2 * avatar.report().samplesReceived + aheadBytes);
    expect(taken!.bytesRead).toBeLessThan(totalBytes / 20);
    // What is on its way is the system's, a few MB at the most; the sender stands still.
    expect(totalBytes - leftBytes).toBeLessThan(totalBytes / 4);
    expect(process.memoryUsage().rss - memory).toBeLessThan(40 * 1024 * 1024);
    upload.destroy();
    await rig.ask('POST', '/api/agents/default/interrupt');
    await nothingLeft(1);
    expect(avatar.report()).toMatchObject({ gapCount: 0, faults: [] });
  });
});

describe('the cues of a stream', () => {
  it('have a bound, and those within it are sent', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'start', format: 's16le:16000:1' });
    const send = `A|${'x'.repeat(1900)}`;
    for (let i = 0; i < 4500; i += 1) client.say({ type: 'cue', atMs: 3_600_000, send });
    const { error } = await client.next('error');
    expect([error.code, error.detail]).toEqual([
      'CUE_LIMIT',
      expect.stringMatching(/^\d{4} cues of one speech wait/),
    ]);
    client.say({ type: 'stop' });
    await client.next('ended');
    client.say({ type: 'start', format: 's16le:16000:1' });
    client.say({ type: 'cue', atMs: 50, send: 'CUE|now' });
    client.sound(noise(3200, 9000));
    client.say({ type: 'end' });
    await client.next('ended', 2);
    expect(avatar.report().commands.map(({ line }) => line)).toContain('CUE|now');
  });
});

describe('what callers can open', () => {
  it('has a bound each, and what is closed makes room again', async () => {
    rig = await startService({ maxQueued: 1, maxAgents: 1 }, { limits: { maxStreams: 2, maxWaits: 1 } });
    await rig.avatar();
    const path = '/api/agents/default/stream';
    const streams = [await StreamClient.open(rig.port), await StreamClient.open(rig.port)];
    const third = await rawUpgrade(rig.port, path);
    expect([statusOf(third), third.includes('STREAM_LIMIT')]).toEqual([429, true]);
    streams[0]!.socket.close();
    await until(async () => (await rig.about()).streams === 1);
    expect(statusOf(await rawUpgrade(rig.port, path))).toBe(101);

    const speak = (agent: string): ReturnType<ServiceRig['ask']> =>
      rig.ask('POST', `/api/agents/${agent}/speeches`, { body: wavOf(noise(32_000, 9000)) });
    await speak('default');
    await until(() => rig.bridge.agent().speeches[0]!.hasStarted);
    await speak('default');
    const full = await speak('default');
    expect([full.status, full.json['code'], full.json['retryable']]).toEqual([429, 'QUEUE_FULL', true]);
    const waiting = rig.open('POST', '/api/agents/nobody/speeches');
    waiting.on('error', () => undefined).write('RIFF');
    await until(() => rig.bridge.findAgent('nobody') !== undefined);
    const patient = rig.open('POST', '/api/agents/nobody/commands', {
      headers: { 'content-type': 'application/json' },
    });
    patient.on('error', () => undefined).end(JSON.stringify({ commands: ['A|1'], waitMs: 60_000 }));
    await until(async () => {
      const json = { commands: ['A|1'], waitMs: 100 };
      return (await rig.ask('POST', '/api/agents/nobody/commands', { json })).status === 429;
    });
    patient.destroy();
    const another = await speak('another');
    expect([another.status, another.json['code']]).toEqual([429, 'AGENT_LIMIT']);
    waiting.destroy();
    await rig.ask('POST', '/api/agents/default/interrupt');
    await until(() => rig.bridge.agents().length === 1);
    expect((await speak('default')).status).toBe(202);
  });
});

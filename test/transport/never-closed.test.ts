import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SharedState } from '../../src/keeper/shared-state.js';
import type { BridgeOptions } from '../../src/bridge.js';
import { AvatarRoute } from '../../src/transport/websocket.js';
import { AgentRegistry } from '../../src/agent/registry.js';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { joinAvatar, startBridge, until } from '../support/bridge-rig.js';
import { clientFrame } from '../support/client-frames.js';
import { projectDir } from '../support/paths.js';
import { socketPair } from '../support/socket-pair.js';

const MASK = Buffer.from([4, 3, 2, 1]);

/** Asks for an upgrade. @returns the status of the answer; 101 when it was let in */
function upgrade(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ host: '127.0.0.1', port, path },
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-version': '13',
      },
    });
    asked.on('response', (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    asked.on('upgrade', (_, socket) => {
      onTestFinished(() => void socket.destroy());
      resolve(101);
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** An avatar byte by byte, let in. */
async function rawAvatar(port: number, path = '/chat'): Promise<{ socket: Socket; closed(): boolean }> {
  const socket = connect(port, '127.0.0.1');
  let closed = false;
  let head = '';
  socket.on('close', () => (closed = true));
  socket.on('error', () => undefined);
  socket.on('data', (data: Buffer) => (head += data.toString('latin1', 0, 200)));
  onTestFinished(() => void socket.destroy());
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  await until(() => head.includes('101 Switching'));
  return { socket, closed: () => closed };
}

describe('an avatar that may not come', () => {
  it.each<[string, BridgeOptions, string, number]>([
    ['with the reserved name', {}, '/chat/all', 403],
    ['with a name that is none', {}, '/chat/a%20b', 403],
    ['without the token', { agentToken: 'abcdefghijklmnop' }, '/chat', 403],
  ])('%s is refused before the upgrade', async (_, options, path, status) => {
    const bridge = await startBridge(options);
    expect(await upgrade(bridge.address.port, path)).toBe(status);
    expect(bridge.agents()).toEqual([]);
  });

  it('for lack of room is refused before the upgrade, and may come when there is room', async () => {
    const bridge = await startBridge({ maxAgents: 2 });
    await joinAvatar(bridge, { name: 'a' });
    const second = await joinAvatar(bridge, { name: 'b' });
    expect(await upgrade(bridge.address.port, '/chat/c')).toBe(503);
    second.leave();
    await until(() => bridge.findAgent('b')?.state !== 'ready' && bridge.agents().length === 1);
    expect(await upgrade(bridge.address.port, '/chat/c')).toBe(101);
  });

  it('has its place whatever names have only been asked for', async () => {
    const bridge = await startBridge({ maxAgents: 2 });
    bridge.agent('asked-1');
    bridge.agent('asked-2');
    expect(() => bridge.agent('asked-3')).toThrow(/asked for already/);
    expect(await upgrade(bridge.address.port, '/chat/a')).toBe(101);
    expect(await upgrade(bridge.address.port, '/chat/b')).toBe(101);
    expect(await upgrade(bridge.address.port, '/chat/c')).toBe(503);
  });
});

describe('an avatar that another process had', () => {
  it('is taken on by a process with fewer places, under any name that it had', async () => {
    const bridge = await startBridge({ maxAgents: 1 });
    const { registry } = { registry: new AgentRegistry((name) => bridge.agent(name), { maxAgents: 1 }) };
    const placed: (string | undefined)[] = [];
    const route = new AvatarRoute({
      path: '/chat',
      clock: systemClock,
      logger: silentLogger,
      admit: (name) => registry.admit(name ?? 'default'),
      accept: (name) => placed.push(name),
    });
    const sharedState = SharedState.create();
    onTestFinished(() => sharedState.close());
    const names = ['a', 'b', 'c', `${'x'.repeat(64)}-2`];
    for (const [slot, name] of names.entries()) {
      const { ours, theirs } = await socketPair();
      const line = sharedState.writer(slot);
      line.facts({ name, link: { started: true, model: '0' } });
      line.stage('open');
      const heldSocket = { line, held: true, release: () => undefined, pass: () => undefined };
      route.adopt(ours, heldSocket, sharedState.read(slot));
      await sleep(20);
      expect(theirs.readyState).toBe('open');
    }
    expect(placed).toEqual(names);
  });
});

describe('what a client sends that is no avatar, or an avatar that is overrun', () => {
  it('pings without end while it reads nothing: it stays, and its answers wait in bounded memory', async () => {
    const bridge = await startBridge();
    const { socket, closed } = await rawAvatar(bridge.address.port);
    socket.pause();
    const pings = Buffer.concat(
      Array.from({ length: 2000 }, () => clientFrame(9, Buffer.alloc(125, 0x70), MASK)),
    );
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 40; i += 1) {
      if (!socket.write(pings))
        await Promise.race([new Promise((done) => socket.once('drain', done)), sleep(500)]);
    }
    await sleep(300);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
    expect(bridge.agent().state).toBe('connected');
    socket.resume();
    await sleep(50);
    expect(closed()).toBe(false);
  });

  it('has its messages cut at 2,047 bytes, as the avatar cuts them itself', async () => {
    const bridge = await startBridge();
    const { socket, closed } = await rawAvatar(bridge.address.port);
    const messages: { bytes: number; truncated: boolean }[] = [];
    bridge.agent().on('message', ({ text, truncated }) => messages.push({ bytes: text.length, truncated }));
    socket.write(clientFrame(1, Buffer.from(`LONG|${'x'.repeat(10_000)}\n`), MASK));
    socket.write(clientFrame(1, Buffer.from('NEXT|1\n'), MASK));
    await until(() => messages.length === 2);
    expect(messages).toEqual([
      { bytes: 2047, truncated: true },
      { bytes: 6, truncated: false },
    ]);
    expect(closed()).toBe(false);
  });
});

describe('a name whose avatar has vanished without a word', () => {
  it('is given to the next one that comes by it, and the old connection stays open', async () => {
    const bridge = await startBridge();
    const { socket, closed } = await rawAvatar(bridge.address.port);
    await until(() => bridge.agents().length === 1);
    // It reads and answers nothing any more, and its connection is never closed.
    socket.pause();
    const startMs = performance.now();
    const avatar = await joinAvatar(bridge);
    await until(() => bridge.agent().state === 'ready');
    expect(performance.now() - startMs).toBeGreaterThan(900);
    expect(
      bridge
        .agents()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['default', 'default-2']);
    expect(bridge.findAgent('default-2')!.snapshot().remote).toContain(String(socket.localPort));
    expect(
      (await bridge.agent().speak(new Int16Array(1600).fill(99), { sampleRateHz: 16_000 }).finished).how,
    ).toBe('completed');
    expect(avatar.report().alive).toBe(true);
    expect(closed()).toBe(false);
  });

  it('stays with an avatar that answers: the newcomer gets a number, and loses none of its words', async () => {
    const bridge = await startBridge();
    const first = await joinAvatar(bridge);
    await until(() => bridge.agent().state === 'ready');
    await joinAvatar(bridge, { allLog: true, audioOpenMs: 0 });
    await until(() => bridge.findAgent('default-2')?.state === 'ready');
    expect(first.report().alive).toBe(true);
  });
});

/** Every place in the sources that can end a socket of an avatar, and why it may. */
const ENDS: Readonly<Record<string, readonly [count: number, why: string]>> = {
  'agent/speech-stream.ts': [1, 'a stream that a caller writes sound into, and no socket'],
  'transport/socket-connection.ts': [
    2,
    'destroy(): the service itself ends; #pass(): the next process has it',
  ],
  'transport/websocket-connection.ts': [
    2,
    'on an error of the socket or bytes that are no WebSocket, of which no avatar is the sender; drop() for the two above',
  ],
  'transport/websocket.ts': [
    3,
    'the service itself ends (adopt and close); an error of the socket before it is adopted',
  ],
  'transport/tcp-connection.ts': [
    3,
    'an error of the socket; drop() for destroy() and #pass(); a client whose first bytes are HTTP or TLS',
  ],
  'transport/tcp.ts': [2, 'the service itself ends'],
};

describe('the sources', () => {
  it('end an avatar’s socket in the places that are listed here, each with its reason, and nowhere else', () => {
    const folder = join(projectDir, 'src');
    const found: Record<string, number> = {};
    const files = ['transport', 'agent'].flatMap((name) =>
      readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' }).map((file) => `${name}/${file}`),
    );
    for (const file of files.filter((name) => name.endsWith('.ts'))) {
      // The port's own connections are no avatars before their upgrade.
      if (file === 'transport/listener.ts') continue;
      const text = readFileSync(join(folder, file), 'utf8');
      const ends = text.match(/\.(?:destroy|terminate|drop|end|resetAndDestroy|destroySoon)\(\)/g) ?? [];
      if (ends.length > 0) found[file] = ends.length;
    }
    const listed = Object.fromEntries(Object.entries(ENDS).map(([file, [count]]) => [file, count]));
    expect(found).toEqual(listed);
  });
});

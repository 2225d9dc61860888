import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BridgeHandle } from '../../src/bridge.js';
import { SimulatedAvatar, type SimulatorOptions } from '../../src/simulator/index.js';
import { expectHeard, next, startBridge, until } from '../support/bridge-rig.js';
import { noise } from '../support/signals.js';

const WITHIN_MS = 15_000;

/** A simulated avatar that is a TCP server. @returns it, and its port */
async function serverAvatar(
  port = 0,
  options: Partial<SimulatorOptions> = {},
): Promise<{ avatar: SimulatedAvatar; port: number }> {
  const avatar = new SimulatedAvatar({
    url: `tcp://127.0.0.1:${port}`,
    tcpServer: true,
    readyAfterMs: 80,
    audioOpenMs: 0,
    ...options,
  });
  onTestFinished(() => avatar.leave());
  return { avatar, port: await avatar.listen() };
}

/** A simulated avatar that is a TCP client of the bridge. */
async function clientAvatar(
  bridge: BridgeHandle,
  options: Partial<SimulatorOptions> = {},
): Promise<SimulatedAvatar> {
  const { port } = bridge.tcpAddresses.find(({ kind }) => kind === 'listen')!;
  const avatar = new SimulatedAvatar({
    url: `tcp://127.0.0.1:${port}`,
    readyAfterMs: 80,
    audioOpenMs: 0,
    ...options,
  });
  onTestFinished(() => avatar.leave());
  await avatar.connect();
  return avatar;
}

describe('an avatar that is a TCP server', () => {
  it('is connected to, hears to the sample, and finds no rule broken', async () => {
    const { avatar, port } = await serverAvatar();
    const bridge = await startBridge({ tcpConnect: [`127.0.0.1:${port}=mei`] });
    const agent = bridge.agent('mei');
    await agent.whenReady();
    expect(agent.snapshot()).toMatchObject({ state: 'ready', transport: 'tcp' });
    const sound = noise(40_000, 9000, 1);
    const speech = agent.speak(sound, { sampleRateHz: 16_000, cues: [{ atMs: 500, send: 'STOP' }] });
    expect(await speech.finished).toMatchObject({ how: 'completed', error: undefined });
    await until(() => avatar.report().samplesHeld === 0, 'its end', WITHIN_MS);
    expectHeard(avatar, sound);
    const { faults, notes, alive, commands, gapCount } = avatar.report();
    expect({ faults, notes, alive, gapCount }).toEqual({ faults: [], notes: [], alive: true, gapCount: 0 });
    const lines = commands.map(({ line }) => line);
    expect(lines.filter((line) => line === 'STOP')).toHaveLength(1);
    // Each mark is a message to all parts of the avatar: about one a second of sound, and at its ends.
    expect(lines.filter((line) => line.startsWith('BRIDGE_MARK')).length).toBeLessThan(8);
    expect(agent.roundTrip!.medianMs).toBeGreaterThan(10);
  });

  it('has no echo of a mark among its messages', async () => {
    const { port } = await serverAvatar();
    const bridge = await startBridge({ tcpConnect: [`127.0.0.1:${port}`] });
    const messages: string[] = [];
    bridge.agent().on('message', ({ text }) => messages.push(text));
    await bridge.agent().whenReady();
    await bridge.agent().speak(noise(8000, 9000, 1), { sampleRateHz: 16_000 }).finished;
    expect(await bridge.agent().request('TEST|1')).toMatchObject({ text: 'TEST|1' });
    expect(messages.filter((text) => text.startsWith('BRIDGE_MARK'))).toEqual([]);
  });

  it('is tried until it is there, and again after it has gone; it has its name again', async () => {
    const { avatar, port } = await serverAvatar();
    avatar.leave();
    const bridge = await startBridge({ tcpConnect: [`127.0.0.1:${port}`] });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const first = await serverAvatar(port);
    await bridge.agent().whenReady();
    const lost = next(bridge.agent(), 'lost');
    first.avatar.leave();
    await lost;
    await serverAvatar(port);
    await bridge.agent().whenReady();
    expect(bridge.agents().map(({ name }) => name)).toEqual(['default']);
  });

  it('that vanishes in the middle of a frame ends its speech, and the next one hears the next speech whole', async () => {
    let taken = 0;
    const half = createServer((socket: Socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        if (chunk.includes('LIPSYNC_START')) socket.write('LIPSYNC_EVENT_START|0\n');
        const at = chunk.indexOf('SND1280');
        if (at < 0 || (taken += 1) > 3) return;
        // It has read half of a frame, and is gone.
        if (taken === 3) {
          half.close();
          socket.resetAndDestroy();
        }
      });
    }).listen(0, '127.0.0.1');
    await once(half, 'listening');
    const { port } = half.address() as AddressInfo;
    const bridge = await startBridge({ tcpConnect: [`127.0.0.1:${port}`] });
    const agent = bridge.agent();
    await agent.whenReady();
    const lost = next(agent, 'lost');
    const sound = noise(32_000, 9000, 2);
    const [failed, resumed] = [
      agent.speak(sound, { sampleRateHz: 16_000 }),
      agent.speak(sound, { sampleRateHz: 16_000 }),
    ];
    await lost;
    const { avatar } = await serverAvatar(port);
    expect(await failed.finished).toMatchObject({ how: 'avatar-lost', error: { code: 'AGENT_LOST' } });
    expect(await resumed.finished).toMatchObject({ how: 'completed' });
    await until(() => avatar.report().samplesHeld === 0, 'its end', WITHIN_MS);
    expectHeard(avatar, sound);
    expect(avatar.report().faults).toEqual([]);
  });

  it('that stops reading is known to within a few seconds, and hears the rest once it reads again', async () => {
    const { avatar, port } = await serverAvatar();
    const bridge = await startBridge({ tcpConnect: [`127.0.0.1:${port}`] });
    const agent = bridge.agent();
    await agent.whenReady();
    const sound = noise(80_000, 9000, 3);
    const speech = agent.speak(sound, { sampleRateHz: 16_000 });
    await speech.started;
    const stalled = next<boolean>(agent, 'stalled');
    avatar.stopReading();
    expect(await stalled).toBe(true);
    expect(agent.snapshot().stalled).toBe(true);
    const reads = next<boolean>(agent, 'stalled');
    avatar.resumeReading();
    expect(await reads).toBe(false);
    expect(await speech.finished).toMatchObject({ how: 'completed' });
    await until(() => avatar.report().samplesHeld === 0, 'its end', WITHIN_MS);
    expectHeard(avatar, sound);
    expect(avatar.report().faults).toEqual([]);
  });

  it('is connected to once, whatever else happens', async () => {
    const { avatar, port } = await serverAvatar();
    const bridge = await startBridge({ tcpConnect: [`127.0.0.1:${port}`, `127.0.0.1:${port}`] });
    await bridge.agent().whenReady();
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(avatar.report().ruleCounts['second-connection'] ?? 0).toBe(0);
    expect(bridge.agents()).toHaveLength(1);
  });
});

describe('an avatar that is a TCP client', () => {
  it('connects to the bridge, and hears to the sample beside one over WebSocket', async () => {
    const bridge = await startBridge({ tcpListen: ['0'] });
    const avatar = await clientAvatar(bridge);
    await bridge.agent().whenReady();
    const second = await clientAvatar(bridge);
    await bridge.agent('default-2').whenReady();
    const sounds = [noise(20_000, 9000, 4), noise(20_000, 9000, 5)];
    const ends = await Promise.all(
      ['default', 'default-2'].map(
        (name, i) => bridge.agent(name).speak(sounds[i]!, { sampleRateHz: 16_000 }).finished,
      ),
    );
    expect(ends.map(({ how }) => how)).toEqual(['completed', 'completed']);
    for (const [i, one] of [avatar, second].entries()) {
      await until(() => one.report().samplesHeld === 0, 'its end', WITHIN_MS);
      expectHeard(one, sounds[i]!);
      expect(one.report().faults).toEqual([]);
    }
  });

  it('has the name of its port', async () => {
    const bridge = await startBridge({ tcpListen: ['127.0.0.1:0=taro'] });
    await clientAvatar(bridge);
    await bridge.agent('taro').whenReady();
    expect(bridge.agents().map(({ name }) => name)).toEqual(['taro']);
  });

  it('is not ended by a limit: it waits until there is room', async () => {
    const bridge = await startBridge({ tcpListen: ['0'], maxAgents: 1 });
    const first = await clientAvatar(bridge);
    await bridge.agent().whenReady();
    const second = await clientAvatar(bridge);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(second.report().alive).toBe(true);
    first.leave();
    await until(() => second.state === 'ready' && bridge.agents().some(({ state }) => state === 'ready'));
    expect(second.report().alive).toBe(true);
  });

  it('is not what a browser is', async () => {
    const bridge = await startBridge({ tcpListen: ['0'] });
    const browser = connect(bridge.tcpAddresses[0]!.port, '127.0.0.1');
    browser.write('POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nA|b');
    await once(browser.resume(), 'close');
    await until(() => bridge.agents().every(({ state }) => state === 'absent'));
  });

  it('cannot come from another machine, where there is no token, unless that is meant', async () => {
    await expect(startBridge({ tcpListen: ['0.0.0.0:0'] })).rejects.toMatchObject({
      code: 'HOST_EXPOSED',
      message: expect.stringContaining('--allow-any-agent') as string,
    });
    const bridge = await startBridge({ tcpListen: ['0.0.0.0:0'], allowAnyAgent: true });
    await clientAvatar(bridge);
    await bridge.agent().whenReady();
  });

  it('cannot come where the port is in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    await expect(startBridge({ tcpListen: [String(port)] })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RuleId, SimulatedAvatar } from '../../src/simulator/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { until } from '../support/until.js';
import { BareServer, connected, ready, rules, voice } from './support/bare-server.js';

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

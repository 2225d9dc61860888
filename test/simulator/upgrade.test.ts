import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { BridgeError } from '../../src/base/errors.js';
import { type RuleId, SimulatedAvatar } from '../../src/simulator/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { until } from '../support/until.js';
import { avatar, BareServer, connected, rules } from './support/bare-server.js';

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
    let simulator = await connected(server);
    await sleep(150);
    // One whose process stood still while the 101 came reads it at once: then it is tried again.
    for (let attempt = 1; attempt < 5 && simulator.report().commandCount > 0; attempt += 1) {
      simulator = await connected(server);
      await sleep(150);
    }
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
    let broken: RuleId[] = [];
    // One whose process stood still while the 101 came blames nobody: then it is tried again.
    for (let attempt = 1; attempt <= (rule ? 5 : 1) && broken.length === 0; attempt += 1) {
      const clock = new FakeClock();
      const simulator = await connected(server, { clock });
      clock.advanceSync(waitMs);
      server.socket.send('A|1\n');
      await until(() => simulator.report().commandCount === 1);
      const { faults, notes } = simulator.report();
      broken = [...faults, ...notes].map((one) => one.rule);
    }
    expect(broken).toEqual(rule ? [rule] : []);
  });
});

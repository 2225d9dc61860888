import { afterEach, describe, expect, it } from 'vitest';
import { createBridge } from '../../src/bridge.js';
import { checkHost, hostNames, isLoopback } from '../../src/service/guards.js';
import { attachService } from '../../src/service/service.js';
import { startService, type ServiceRig } from '../support/service-rig.js';

let rig: ServiceRig | undefined;
afterEach(() => rig?.close());

describe('the guards', () => {
  it('know loopback by every name it has', () => {
    for (const host of [
      'localhost',
      'LOCALHOST',
      '127.0.0.1',
      '127.8.9.1',
      '::1',
      '[::1]',
      '::ffff:127.0.0.1',
    ])
      expect([host, isLoopback(host)]).toEqual([host, true]);
    for (const host of [
      '0.0.0.0',
      '::',
      '10.0.0.1',
      '192.168.1.2',
      'example.org',
      'localhost.example.org',
      '',
    ])
      expect([host, isLoopback(host)]).toEqual([host, false]);
  });

  it('take no host that hides another one', () => {
    for (const host of ['localhost', 'localhost:9001', '127.0.0.1:1', '[::1]:9001', 'avatar.example'])
      expect(() => checkHost(host, hostNames('127.0.0.1', ['avatar.example']))).not.toThrow();
    for (const host of [
      undefined,
      '',
      'evil.example',
      'evil.example:9001',
      'evil.example@localhost',
      'localhost@evil.example',
      'localhost:9001/evil',
      'localhost.evil.example',
      'localhost:',
      'localhost evil',
      '127.0.0.1.evil.example',
      '192.0.2.7',
      '[2001:db8::7]:9001',
    ])
      expect(() => checkHost(host, hostNames('127.0.0.1', [])), String(host)).toThrow(/none of its names/);
  });

  it('take any address for a name where other machines may come, and no other name', () => {
    const wide = hostNames('0.0.0.0', ['avatar.example']);
    for (const host of ['192.0.2.7:9001', '[2001:db8::7]', 'avatar.example', 'localhost'])
      expect(() => checkHost(host, wide)).not.toThrow();
    expect(() => checkHost('evil.example', wide)).toThrow(/none of its names/);
  });

  it('refuse a request under a foreign name: DNS rebinding', async () => {
    rig = await startService();
    await rig.avatar();
    for (const path of ['/api', '/api/agents', '/api/events', '/api/agents/default/speeches', '/nothing']) {
      const { status, json } = await rig.ask(path.endsWith('speech') ? 'POST' : 'GET', path, {
        headers: { host: `evil.example:${rig.port}` },
      });
      expect([path, status, json['code']]).toEqual([path, 403, 'HOST_DENIED']);
    }
    for (const host of ['localhost', `localhost:${rig.port}`, `127.0.0.1:${rig.port}`, '[::1]:80']) {
      const { status } = await rig.ask('GET', '/api', { headers: { host } });
      expect([host, status]).toEqual([host, 200]);
    }
  });

  it('refuse a page of another origin, and take one of their own', async () => {
    rig = await startService();
    await rig.avatar();
    const own = `http://127.0.0.1:${rig.port}`;
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `http://127.0.0.1:${rig.port + 1}` },
      { origin: `${own}.evil.example` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: own },
    ];
    for (const headers of foreign) {
      for (const [method, path] of [
        ['GET', '/api/events'],
        ['POST', '/api/agents/default/speeches'],
        ['POST', '/api/agents/default/commands'],
      ] as const) {
        const { status, json } = await rig.ask(method, path, { headers });
        expect([headers, path, status, json['code']]).toEqual([headers, path, 403, 'ORIGIN_DENIED']);
      }
    }
    for (const headers of [
      { origin: own },
      { origin: own, 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
    ]) {
      expect((await rig.ask('GET', '/api', { headers })).status).toBe(200);
    }
  });

  it('keep the service from being reached by other machines', async () => {
    const bridge = await createBridge({ host: '0.0.0.0', port: 0 });
    try {
      await expect(attachService(bridge)).rejects.toMatchObject({ code: 'HOST_EXPOSED' });
    } finally {
      await bridge.close();
    }
  });
});

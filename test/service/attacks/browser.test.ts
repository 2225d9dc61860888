import { afterEach, describe, expect, it } from 'vitest';
import { rawUpgrade, statusOf } from '../../support/raw-http.js';
import { everyRoute } from '../../support/routes.js';
import { type ServiceRig, startService, until } from '../../support/service-rig.js';
import { noise } from '../../support/signals.js';
import { wavOf } from '../../support/wav.js';

const TOKEN = 'a-token-of-32-letters-and-digits';
const EVIL = 'https://evil.example';
const STREAM = '/api/agents/default/stream';

let rig: ServiceRig;
afterEach(() => rig.close());

/** True when nothing has reached the avatar and nothing is spoken. */
async function untouched(): Promise<void> {
  await until(() => rig.bridge.agent().speeches.length === 0);
  expect(rig.bridge.agent().sent).toMatchObject({ frames: 0 });
  expect(rig.bridge.agent().snapshot().paused).toBe(false);
}

describe('a page whose name was made to point at this machine', () => {
  it('reaches no route and no WebSocket', async () => {
    rig = await startService();
    await rig.avatar();
    const host = `evil.example:${rig.port}`;
    for (const { method, path } of await everyRoute(rig)) {
      const { status, json } = await rig.ask(method, path, { headers: { host } });
      expect([method, path, status, json['code']]).toEqual([method, path, 403, 'HOST_DENIED']);
    }
    // Same origin, as its browser sees it: only the name gives it away.
    const own = { Host: host, Origin: `http://${host}` };
    const answer = await rawUpgrade(rig.port, STREAM, own);
    expect([statusOf(answer), answer.includes('HOST_DENIED')]).toEqual([403, true]);
    expect(statusOf(await rawUpgrade(rig.port, '/chat', own))).toBe(403);
    await untouched();
  });

  it('reaches nothing even where the service listens for other machines', async () => {
    rig = await startService({ host: '0.0.0.0', token: TOKEN });
    const authorization = `Bearer ${TOKEN}`;
    const ask = async (host: string): Promise<number> =>
      (await rig.ask('GET', '/api', { headers: { host, authorization } })).status;
    expect(await ask(`evil.example:${rig.port}`)).toBe(403);
    // No page can make a browser say an address that its user did not mean.
    expect(await ask(`192.168.1.7:${rig.port}`)).toBe(200);
    await rig.close();
    rig = await startService({ allowHost: ['avatar.example.org'] });
    expect(await ask(`avatar.example.org:${rig.port}`)).toBe(200);
    expect(await ask(`evil.avatar.example.org:${rig.port}`)).toBe(403);
  });
});

describe('a page of another site', () => {
  it('opens no WebSocket, neither a stream nor as an avatar', async () => {
    rig = await startService();
    await rig.avatar();
    const port = rig.port;
    for (const origin of [EVIL, 'null', `http://127.0.0.1:${port + 1}`, `https://127.0.0.1:${port}.evil`]) {
      const answer = await rawUpgrade(port, STREAM, { Origin: origin });
      expect([origin, statusOf(answer), answer.includes('ORIGIN_DENIED')]).toEqual([origin, 403, true]);
      expect([origin, statusOf(await rawUpgrade(port, '/chat/x', { Origin: origin }))]).toEqual([
        origin,
        403,
      ]);
    }
    // Not even the service's own page is an avatar.
    const own = { Host: `localhost:${port}`, Origin: `http://localhost:${port}` };
    expect(statusOf(await rawUpgrade(port, '/chat/x', own))).toBe(403);
    expect(statusOf(await rawUpgrade(port, STREAM, own))).toBe(101);
    expect(rig.bridge.agents().map(({ name }) => name)).toEqual(['default']);
  });

  it('does nothing by a form, a fetch without CORS or an image, logged in or not', async () => {
    rig = await startService({ token: TOKEN });
    await rig.avatar();
    const login = await rig.ask('POST', '/api/login', { json: { token: TOKEN } });
    const cookie = login.headers['set-cookie']![0]!.split(';')[0]!;
    const sound = wavOf(noise(4000, 9000));
    // What a browser sends without asking the service first. The cookie would not even be there: SameSite=Strict.
    const simple = [
      { 'content-type': 'application/x-www-form-urlencoded', origin: EVIL },
      { 'content-type': 'multipart/form-data; boundary=x', origin: EVIL },
      { 'content-type': 'text/plain', origin: 'null' },
      { 'content-type': 'text/plain', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
      {
        'content-type': 'text/plain',
        origin: EVIL,
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
      },
    ];
    const paths = ['speeches', 'say', 'commands', 'pause', 'interrupt', 'speeches/s1/cues'];
    for (const headers of simple) {
      for (const path of paths) {
        const answer = await rig.ask('POST', `/api/agents/default/${path}`, {
          body: path === 'speeches' ? sound : '{"commands":["A|1"]}',
          headers: { ...headers, cookie },
        });
        expect([headers, path, answer.status, answer.json['code']]).toEqual([
          headers,
          path,
          403,
          'ORIGIN_DENIED',
        ]);
      }
      for (const path of ['/login', '/api/login', '/api/logout']) {
        const answer = await rig.ask('POST', path, {
          body: `token=${TOKEN}`,
          headers: headers,
        });
        expect([path, answer.status, answer.headers['set-cookie']]).toEqual([path, 403, undefined]);
      }
    }
    const image = {
      cookie,
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'no-cors',
      'sec-fetch-dest': 'image',
    };
    for (const path of ['/', '/api/agents', '/api/agents/default/pause', '/metrics', '/console/main.js'])
      expect((await rig.ask('GET', path, { headers: image })).status).toBe(403);
    await untouched();
  });

  it('gets no leave to ask, unless it was named', async () => {
    rig = await startService({ token: TOKEN, allowOrigin: ['https://good.example'] });
    const ask = (origin: string): ReturnType<ServiceRig['ask']> =>
      rig.ask('OPTIONS', '/api/agents/default/speeches', {
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization',
        },
      });
    for (const origin of [EVIL, 'null', 'https://good.example.evil.example', 'http://good.example']) {
      const { status, headers } = await ask(origin);
      expect([origin, status]).toEqual([origin, 403]);
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    }
    const good = await ask('https://good.example');
    expect([good.status, good.headers['access-control-allow-origin']]).toEqual([204, 'https://good.example']);
    // It brings the token: the login's cookie is never asked for.
    expect(good.headers).not.toHaveProperty('access-control-allow-credentials');
    const without = await rig.ask('GET', '/api/agents', { headers: { origin: 'https://good.example' } });
    expect(without.status).toBe(401);
  });
});

describe('every answer', () => {
  it('keeps browsers from guessing, framing, embedding and keeping it', async () => {
    rig = await startService({ token: TOKEN });
    await rig.avatar();
    const authorization = `Bearer ${TOKEN}`;
    for (const headers of [{ authorization }, {}]) {
      for (const { method, path } of await everyRoute(rig, { authorization })) {
        // Those two never end by themselves.
        if (path.endsWith('/events') && 'authorization' in headers) continue;
        const answer = await rig.ask(method, path, { headers: headers });
        const policy = String(answer.headers['content-security-policy']);
        expect([method, path, policy]).toEqual([
          method,
          path,
          expect.stringContaining("frame-ancestors 'none'"),
        ]);
        expect(policy).toMatch(/^default-src 'none'/);
        expect(policy).not.toContain('unsafe');
        expect(answer.headers).toMatchObject({
          'x-content-type-options': 'nosniff',
          'x-frame-options': 'DENY',
          'referrer-policy': 'same-origin',
          'cross-origin-resource-policy': 'same-origin',
          'cross-origin-opener-policy': 'same-origin',
          'cache-control': 'no-store',
        });
        expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
        expect(answer.headers).not.toHaveProperty('x-powered-by');
      }
    }
  });
});

import type * as crypto from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Credentials } from '../../../src/service/credentials.js';
import { rawUpgrade, statusOf } from '../../support/raw-http.js';
import { everyRoute } from '../../support/routes.js';
import { startService, until, type ServiceRig } from '../../support/service-rig.js';

const { compared } = vi.hoisted(() => ({ compared: [] as [number, number][] }));
vi.mock('node:crypto', async (original) => {
  const real = await original<typeof crypto>();
  return {
    ...real,
    timingSafeEqual: (one: Buffer, other: Buffer) => {
      compared.push([one.length, other.length]);
      return real.timingSafeEqual(one, other);
    },
  };
});

const TOKEN = 'a-token-of-32-letters-and-digits';
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
/** What a person can reach without the token: to log in, and to see that the process lives. */
const OPEN = new Set(['/healthz', '/readyz', '/login', '/api/login', '/api/logout']);
/** Wrong in every way that a comparison could miss. */
const WRONG = [
  TOKEN.slice(0, -1),
  `${TOKEN}x`,
  TOKEN.toUpperCase(),
  `${TOKEN.slice(0, -1)}x`,
  'x',
  '',
  `${TOKEN} ${TOKEN}`,
];

let rig: ServiceRig;
afterEach(() => rig.close());

describe('without the token', () => {
  it('nothing answers but the login and the signs of life', async () => {
    rig = await startService({ token: TOKEN });
    await rig.avatar();
    const routes = await everyRoute(rig, bearer(TOKEN));
    expect(routes.map(({ path }) => path)).toEqual(expect.arrayContaining(['/metrics', '/', '/api/events']));
    for (const { method, path } of routes) {
      if (OPEN.has(path)) continue;
      for (const headers of [{}, bearer(WRONG[0]!), { authorization: `Basic ${btoa(`:${TOKEN}`)}` }]) {
        const answer = await rig.ask(method, path, { headers });
        // The page leads a person to the login; what is asked for by programs is refused.
        const page = path === '/' || path === '/api/docs';
        const expected = page ? [303, ''] : [401, 'TOKEN_REQUIRED'];
        const code = answer.text === '' ? '' : answer.json['code'];
        expect([method, path, answer.status, code]).toEqual([method, path, ...expected]);
        if (page) expect(answer.headers.location).toBe(`/login?next=${encodeURIComponent(path)}`);
        else expect(answer.headers['www-authenticate']).toBe('Bearer');
        expect(answer.text).not.toContain('default');
      }
    }
    for (const path of OPEN) {
      const { status } = await rig.ask('GET', path);
      // Those that only take a POST are not found, rather than refused.
      expect([path, status]).toEqual([path, path.startsWith('/api/') ? 401 : 200]);
    }
  });

  it('no wrong one does, however alike', async () => {
    rig = await startService({ token: TOKEN });
    for (const token of WRONG) {
      expect([token, (await rig.ask('GET', '/api', { headers: bearer(token) })).status]).toEqual([
        token,
        401,
      ]);
      expect((await rig.ask('POST', '/api/login', { json: { token } })).status).toBe(401);
    }
    for (const path of [`/api?token=${TOKEN}`, `/metrics?token=${TOKEN}`, `/api/events?token=${TOKEN}`])
      expect((await rig.ask('GET', path)).status).toBe(401);
    expect((await rig.ask('GET', '/api', { headers: bearer(TOKEN) })).status).toBe(200);
    expect((await rig.ask('GET', '/metrics', { headers: bearer(TOKEN) })).status).toBe(200);
  });

  it('no WebSocket opens, and with it one does, by header or by subprotocol', async () => {
    rig = await startService({ token: TOKEN });
    await rig.avatar();
    const path = '/api/agents/default/stream';
    const wrong = [{}, { Authorization: `Bearer ${WRONG[0]}` }, { 'Sec-WebSocket-Protocol': 'bearer.wrong' }];
    for (const headers of wrong) {
      const answer = await rawUpgrade(rig.port, path, headers);
      expect(statusOf(answer)).toBe(401);
      expect(answer).toContain('TOKEN_REQUIRED');
      expect(answer).not.toContain('hello');
    }
    expect((await rig.ask('GET', '/api', { headers: bearer(TOKEN) })).json['streams']).toBe(0);
    const right = await rawUpgrade(rig.port, path, { Authorization: `Bearer ${TOKEN}` });
    expect(statusOf(right)).toBe(101);
    // A browser's way. The token is not said back.
    const socket = new WebSocket(`ws://127.0.0.1:${rig.port}${path}`, ['mmdagent-bridge', `bearer.${TOKEN}`]);
    await until(() => socket.readyState === WebSocket.OPEN);
    expect(socket.protocol).toBe('mmdagent-bridge');
    socket.close();
  });

  it('no avatar comes, when avatars have one of their own', async () => {
    rig = await startService({ agentToken: TOKEN });
    const paths = ['/chat', '/chat/mei', '/chat?token=', `/chat?token=${WRONG[0]}`, `/chat?TOKEN=${TOKEN}`];
    for (const path of [...paths, `/chat?token=${WRONG[0]}&token=${TOKEN}`]) {
      const answer = await rawUpgrade(rig.port, path);
      // Never 429, which would make an avatar ask for ever longer paths.
      expect([path, statusOf(answer)]).toEqual([path, 403]);
    }
    expect(rig.bridge.agents()).toEqual([]);
    for (const path of [`/chat?token=${TOKEN}`, `/chat/mei?token=${TOKEN}`])
      expect([path, statusOf(await rawUpgrade(rig.port, path))]).toEqual([path, 101]);
    // The API has a token of its own: that of the avatars opens nothing else.
    await rig.close();
    rig = await startService({ agentToken: TOKEN, token: `${TOKEN}-2` });
    expect((await rig.ask('GET', '/api', { headers: bearer(TOKEN) })).status).toBe(401);
    expect(statusOf(await rawUpgrade(rig.port, `/chat?token=${TOKEN}-2`))).toBe(403);
  });
});

describe('a token', () => {
  it('is compared in a time that tells nothing of it', async () => {
    rig = await startService({ token: TOKEN, agentToken: TOKEN });
    compared.length = 0;
    for (const token of WRONG) await rig.ask('GET', '/api', { headers: bearer(token) });
    for (const token of WRONG) await rawUpgrade(rig.port, `/chat?token=${encodeURIComponent(token)}`);
    await rig.ask('GET', '/api', { headers: { cookie: `mmdagent-bridge-${rig.port}=9999999999.x.y` } });
    // Every one that has the form of a token went through it, and what it compares has one length.
    expect(compared.length).toBeGreaterThanOrEqual(WRONG.length * 2 - 2);
    expect(new Set(compared.flat())).toEqual(new Set([32]));
  });
});

describe('a login', () => {
  const cookieOf = (header: unknown): string => String(header).split(';')[0]!;

  it('gives a cookie that no script, no other site and no plain connection gets', async () => {
    rig = await startService({ token: TOKEN });
    const { status, headers } = await rig.ask('POST', '/api/login', { json: { token: TOKEN } });
    expect(status).toBe(204);
    const [header] = headers['set-cookie']!;
    expect(header).toMatch(/; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict$/);
    expect(header).not.toContain(TOKEN);
    const cookie = cookieOf(header);
    for (const path of ['/', '/api/agents', '/metrics', '/console/main.js'])
      expect([path, (await rig.ask('GET', path, { headers: { cookie } })).status]).toEqual([path, 200]);
    expect(statusOf(await rawUpgrade(rig.port, '/api/agents/default/stream', { Cookie: cookie }))).toBe(101);
    const out = await rig.ask('POST', '/api/logout', { headers: { cookie } });
    expect(String(out.headers['set-cookie'])).toMatch(/^mmdagent-bridge-\d+=; Path=\/; Max-Age=0; HttpOnly/);
    expect(new Credentials(TOKEN, 1).login(0, true)).toMatch(/; HttpOnly; SameSite=Strict; Secure$/);
  });

  it('by its form leads back to a page of the service and to none elsewhere', async () => {
    rig = await startService({ token: TOKEN });
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const login = (body: string): ReturnType<ServiceRig['ask']> =>
      rig.ask('POST', '/login', { body, headers: form });
    const right = await login(`token=${TOKEN}&next=%2Fapi%2Fagents`);
    expect([right.status, right.headers.location]).toEqual([303, '/api/agents']);
    for (const next of [
      '//evil.example',
      '/\\evil.example',
      'https://evil.example',
      '/\tevil',
      'javascript:x',
    ]) {
      const { headers } = await login(`token=${TOKEN}&next=${encodeURIComponent(next)}`);
      expect([next, headers.location]).toEqual([next, '/']);
      const { text } = await rig.ask('GET', `/login?next=${encodeURIComponent(next)}`);
      expect(text).not.toContain('evil');
    }
    const wrong = await login('token=wrong&next=%22%3E%3Cscript%3E');
    expect([wrong.status, wrong.headers['set-cookie']]).toEqual([401, undefined]);
    expect(wrong.text).not.toContain('<script');
  });

  it('cannot be forged, kept for ever, or taken to another service', () => {
    const credentials = new Credentials(TOKEN, 9001);
    const nowMs = Date.UTC(2026, 0, 1);
    const cookie = cookieOf(credentials.login(nowMs, false));
    const admits = (given: string, other = credentials, atMs = nowMs): boolean =>
      other.admits({ headers: { cookie: given } }, atMs);
    expect(admits(cookie)).toBe(true);
    expect(admits(`a=b; ${cookie}; c=d`)).toBe(true);
    const [name, value] = cookie.split('=') as [string, string];
    const [expires, salt, signature] = value.split('.') as [string, string, string];
    const forged = [
      `${Number(expires) + 1}.${salt}.${signature}`,
      `${expires}.${salt}x.${signature}`,
      `${expires}.${salt}.${signature.slice(0, -1)}`,
      `${expires}.${salt}.`,
      `${expires}.${salt}`,
      `99999999999.${salt}.${signature}`,
      `-1.${salt}.${signature}`,
      `${expires}.${salt}.${signature} `.repeat(2),
      '',
    ];
    for (const claim of forged) expect([claim, admits(`${name}=${claim}`)]).toEqual([claim, false]);
    const week = 7 * 24 * 3600 * 1000;
    expect(admits(cookie, credentials, nowMs + week - 1000)).toBe(true);
    expect(admits(cookie, credentials, nowMs + week)).toBe(false);
    expect(admits(cookie, new Credentials(`${TOKEN}x`, 9001))).toBe(false);
    expect(admits(cookie, new Credentials(TOKEN, 9002))).toBe(false);
  });
});

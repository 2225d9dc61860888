import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/base/errors.js';
import { VERSION } from '../../src/base/version.js';
import { compareHeard } from '../../src/simulator/index.js';
import { answerOf, type ServiceRig, startService, until } from '../support/service-rig.js';
import { noise, sine } from '../support/signals.js';
import { wavOf } from '../support/wav.js';
import fc from 'fast-check';

let rig: ServiceRig;
afterEach(() => rig.close());

const AGENT = '/api/agents/default';

describe('the API', () => {
  it('says by its name what answers here', async () => {
    rig = await startService();
    const { status, json } = await rig.ask('GET', '/api');
    expect(status).toBe(200);
    expect(json).toMatchObject({ service: 'mmdagent-audio-bridge', version: VERSION, api: 1, path: '/chat' });
  });

  it('lists agents with what they do, under any name', async () => {
    rig = await startService();
    expect((await rig.ask('GET', '/api/agents')).json).toEqual({ agents: [] });
    await rig.avatar();
    await rig.avatar({ name: 'メイ' });
    const { json } = await rig.ask('GET', '/api/agents');
    expect(json).toMatchObject({
      agents: [
        { name: 'default', state: 'ready', model: '0', speaking: false, speeches: [] },
        { name: 'メイ', state: 'ready' },
      ],
    });
    const one = await rig.ask('GET', `/api/agents/${encodeURIComponent('メイ')}`);
    expect(one.json).toMatchObject({ name: 'メイ', state: 'ready', leadMs: 100 });
  });

  it('answers every fault as a problem with a code of the table', async () => {
    rig = await startService();
    await rig.avatar();
    const cases: [string, string, object, number, string][] = [
      ['GET', '/api/agents/bob', {}, 404, 'AGENT_UNKNOWN'],
      ['GET', '/api/agents/bob/speeches', {}, 404, 'AGENT_UNKNOWN'],
      ['GET', '/api/agents/bob/events', {}, 404, 'AGENT_UNKNOWN'],
      ['POST', '/api/agents/bob/interrupt', {}, 404, 'AGENT_UNKNOWN'],
      ['POST', '/api/agents/bob/commands', { json: { commands: ['A|b'] } }, 404, 'AGENT_UNKNOWN'],
      ['DELETE', `${AGENT}/speeches/s99`, {}, 404, 'SPEECH_UNKNOWN'],
      ['GET', '/api/nothing', {}, 404, 'ROUTE_UNKNOWN'],
      ['PATCH', '/api/agents', {}, 404, 'ROUTE_UNKNOWN'],
      ['GET', '/nothing', {}, 404, 'ROUTE_UNKNOWN'],
      ['GET', '/api/agents/%zz', {}, 400, 'REQUEST_INVALID'],
      ['GET', '/api/events?who=me', {}, 400, 'REQUEST_INVALID'],
      ['GET', '/api/events', { headers: { 'last-event-id': 'yesterday' } }, 400, 'REQUEST_INVALID'],
      [
        'POST',
        `${AGENT}/commands`,
        { body: '{', headers: { 'content-type': 'application/json' } },
        400,
        'REQUEST_INVALID',
      ],
      ['POST', `${AGENT}/commands`, { json: {} }, 400, 'REQUEST_INVALID'],
      ['POST', `${AGENT}/commands`, { json: { commands: [] } }, 400, 'REQUEST_INVALID'],
      [
        'POST',
        `${AGENT}/commands`,
        { body: 'A|b', headers: { 'content-type': 'text/csv' } },
        400,
        'REQUEST_INVALID',
      ],
    ];
    for (const [method, path, options, status, code] of cases) {
      const answer = await rig.ask(method, path, options);
      expect([path, answer.status, answer.json['code']]).toEqual([path, status, code]);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect(answer.json).toMatchObject({ status, advice: ERRORS[code as 'AGENT_UNKNOWN'].advice });
      expect(answer.json['detail']).toMatch(/\.$/);
    }
  });

  it('describes each of its routes with schemas, and each answer with the problem', async () => {
    rig = await startService();
    const { json } = await rig.ask('GET', '/api/openapi.json');
    const paths = json['paths'] as unknown as Record<
      string,
      Record<string, { operationId: string; responses: Record<string, unknown> }>
    >;
    expect(Object.keys(paths).sort()).toEqual([
      '/api',
      '/api/agents',
      '/api/agents/{name}',
      '/api/agents/{name}/commands',
      '/api/agents/{name}/events',
      '/api/agents/{name}/gain',
      '/api/agents/{name}/interrupt',
      '/api/agents/{name}/pause',
      '/api/agents/{name}/resume',
      '/api/agents/{name}/say',
      '/api/agents/{name}/speeches',
      '/api/agents/{name}/speeches/{id}',
      '/api/agents/{name}/speeches/{id}/cues',
      '/api/agents/{name}/stream',
      '/api/catalogue',
      '/api/events',
      '/api/login',
      '/api/logout',
      '/api/nodes',
      '/api/restart',
      '/api/voices',
      '/healthz',
      '/metrics',
      '/readyz',
    ]);
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { operationId, responses } of operations) {
      expect([operationId, JSON.stringify(responses['default'])]).toEqual([
        operationId,
        expect.stringContaining('#/components/schemas/Problem'),
      ]);
    }
    const text = JSON.stringify(json);
    for (const [, reference] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
      expect(json).toHaveProperty(['components', 'schemas', reference!]);
    }
    // Ranges come from the options table.
    expect(JSON.stringify(paths['/api/agents/{name}/speeches'])).toContain('"minimum":20,"maximum":2000');
  });

  it('survives garbage of any kind on any route', async () => {
    rig = await startService({ leadMs: 1000 });
    const avatar = await rig.avatar();
    const sound = noise(16_000 * 3, 9000);
    const speech = rig.ask('POST', `${AGENT}/speeches?wait=finished`, { body: wavOf(sound) });
    const path = fc
      .tuple(
        fc.constantFrom('/api', '/api/agents', '/api/agents/default', '/api/agents/x', '/api/events/', '/'),
        fc.constantFrom(
          '',
          '/commands',
          '/speeches',
          '/speeches/s1',
          '/paused',
          '/interrupt?fadeMs=',
          '/speeches/s1/cues',
        ),
        fc.string({ maxLength: 12 }).map((text) => encodeURIComponent(text).replaceAll("'", '')),
      )
      .map((parts) => parts.join('').replaceAll(' ', ''));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'PATCH', 'POST', 'OPTIONS'),
        path,
        fc.oneof(
          fc.jsonValue().map((value) => JSON.stringify(value)),
          fc.string(),
        ),
        async (method, url, body) => {
          if (url.startsWith('/api/agents/default/interrupt')) return;
          const answer = await rig.ask(method, url, {
            body,
            headers: { 'content-type': 'application/json' },
          });
          expect(answer.status).toBeLessThan(500);
        },
      ),
      { numRuns: 150 },
    );
    expect((await speech).json).toMatchObject({ end: { how: 'completed', gaps: { count: 0 } } });
    expect(compareHeard(sound, avatar.heard()).exact).toBe(true);
  });

  it('refuses a body that is too large or too slow', async () => {
    rig = await startService({}, { limits: { maxJsonBytes: 2000, jsonBodyMs: 200 } });
    await rig.avatar();
    const long = 'X'.repeat(3000);
    for (const [method, path, json] of [
      ['POST', `${AGENT}/commands`, { commands: [long] }],
      ['POST', `${AGENT}/interrupt`, { long }],
      ['PUT', `${AGENT}/gain`, { long }],
    ] as const) {
      const large = await rig.ask(method, path, { json });
      expect([path, large.status, large.json['code']]).toEqual([path, 413, 'BODY_TOO_LARGE']);
    }
    const slow = rig.open('POST', `${AGENT}/commands`, { headers: { 'content-type': 'application/json' } });
    slow.on('error', () => undefined);
    slow.write('{"commands":');
    const [response] = (await once(slow, 'response')) as [IncomingMessage];
    const answer = await answerOf(response);
    expect([answer.status, answer.json['code']]).toEqual([408, 'REQUEST_TIMEOUT']);
  });

  it('bounds the headers of a request', async () => {
    rig = await startService();
    const { status } = await rig.ask('GET', '/api', { headers: { 'x-long': 'x'.repeat(20_000) } });
    expect(status).toBe(431);
  });
});

describe('commands', () => {
  it('reach the avatar in order, and each gets its result', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const commands = Array.from({ length: 50 }, (_, i) => `KEYVALUE_SET|n|${i}`);
    const { status, json } = await rig.ask('POST', `${AGENT}/commands`, { json: { commands } });
    expect(status).toBe(200);
    expect(json).toEqual({
      agent: 'default',
      results: commands.map((command) => ({ command, sent: true, error: null })),
    });
    await until(() => avatar.report().commands.at(-1)?.line === 'KEYVALUE_SET|n|49');
    const lines = avatar.report().commands.map(({ line }) => line);
    expect(lines.filter((line) => line.startsWith('KEYVALUE'))).toEqual(commands);
  });

  it('are refused as a whole when one breaks a rule, which is named', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const before = avatar.report().commandCount;
    const cases: [string, string, number, RegExp][] = [
      ['A\nB', 'COMMAND_INVALID', 400, /line break/],
      [`X|${'y'.repeat(2001)}`, 'COMMAND_INVALID', 400, /2001 bytes/],
      ['SNDFOO|x', 'COMMAND_INVALID', 400, /begins with SND/],
      ['', 'COMMAND_INVALID', 400, /empty/],
      ['EXECUTE|calc.exe', 'COMMAND_DANGEROUS', 403, /runs a program/],
    ];
    for (const [command, code, status, detail] of cases) {
      const answer = await rig.ask('POST', `${AGENT}/commands`, {
        json: { commands: ['A|1', command, 'B|2'] },
      });
      expect([command.slice(0, 20), answer.status, answer.json['code']]).toEqual([
        command.slice(0, 20),
        status,
        code,
      ]);
      expect(answer.json['detail']).toMatch(detail);
    }
    expect(avatar.report().commandCount).toBe(before);
  });

  it('wait for an avatar as long as they are told to', async () => {
    rig = await startService();
    const asked = rig.ask('POST', '/api/agents/late/commands', {
      json: { commands: ['A|1'], waitMs: 20_000 },
    });
    await until(() => rig.bridge.findAgent('late') !== undefined);
    await rig.avatar({ name: 'late' });
    expect((await asked).json).toMatchObject({ results: [{ sent: true }] });
    const absent = await rig.ask('POST', '/api/agents/never/commands', {
      json: { commands: ['A|1'], waitMs: 50 },
    });
    expect([absent.status, absent.json['code']]).toEqual([503, 'AGENT_ABSENT']);
  });
});

describe('the speeches of an agent', () => {
  const speak = async (seconds: number, label: string): Promise<string> => {
    const { json } = await rig.ask('POST', `${AGENT}/speeches?label=${label}`, {
      body: wavOf(sine(16_000 * seconds, 440, 9000)),
    });
    return String(json['id']);
  };

  it('are listed in order, and one of them can be stopped alone', async () => {
    rig = await startService({ bufferMs: 60_000 });
    await rig.avatar();
    const ids = [await speak(5, 'a'), await speak(5, 'b'), await speak(1, 'c')];
    await until(() => rig.bridge.agent().speeches[0]?.state === 'speaking');
    const { json } = await rig.ask('GET', `${AGENT}/speeches`);
    expect((json['speeches'] as unknown as { id: string }[]).map(({ id }) => id)).toEqual(ids);
    const waiting = await rig.ask('DELETE', `${AGENT}/speeches/${ids[1]!}`);
    expect(waiting.json).toMatchObject({ id: ids[1], state: 'ended', end: { how: 'stopped', heardMs: 0 } });
    const sounding = await rig.ask('DELETE', `${AGENT}/speeches/${ids[0]!}?fadeMs=5`);
    expect(sounding.json).toMatchObject({
      id: ids[0],
      end: { how: 'stopped', error: { code: 'SPEECH_STOPPED' } },
    });
    expect(sounding.json['end']!['heardMs']).toBeGreaterThan(0);
    await until(() => rig.bridge.agent().speeches.length === 0);
  });

  it('are all ended by an interruption, which says what was heard', async () => {
    rig = await startService({ bufferMs: 60_000 });
    await rig.avatar();
    await speak(5, 'a');
    await speak(5, 'b');
    await until(() => rig.bridge.agent().speeches[0]!.positionMs > 100);
    const { status, json } = await rig.ask('POST', `${AGENT}/interrupt`);
    expect(status).toBe(200);
    expect(json['heardMs']).toBeGreaterThan(100);
    expect(json['dropped']).toBe(1);
  });

  it('pause and go on, and nothing is lost', async () => {
    rig = await startService({ bufferMs: 60_000 });
    const avatar = await rig.avatar();
    await speak(1, 'a');
    await until(() => rig.bridge.agent().speeches[0]!.positionMs > 100);
    expect((await rig.ask('POST', `${AGENT}/pause`)).json).toMatchObject({ paused: true });
    await until(() => avatar.remainingMs() === 0);
    expect((await rig.ask('POST', `${AGENT}/resume`)).json).toMatchObject({ paused: false });
    await until(() => rig.bridge.agent().speeches.length === 0);
    expect(avatar.report().samplesHeard).toBeGreaterThanOrEqual(16_000);
  });

  it('take cues while they sound, all or none', async () => {
    rig = await startService({ bufferMs: 60_000 });
    const avatar = await rig.avatar();
    const id = await speak(1, 'a');
    const cues = [
      { atMs: 500, send: 'CUE|middle' },
      { atMs: -100, send: 'CUE|end' },
    ];
    const bad = await rig.ask('POST', `${AGENT}/speeches/${id}/cues`, {
      json: { cues: [...cues, { atMs: 1, send: 'SNDx' }] },
    });
    expect(bad.json['code']).toBe('COMMAND_INVALID');
    expect((await rig.ask('POST', `${AGENT}/speeches/${id}/cues`, { json: { cues } })).json).toEqual({
      added: 2,
    });
    await until(() => rig.bridge.agent().speeches.length === 0);
    const lines = avatar.report().commands.map(({ line }) => line);
    expect(lines.filter((line) => line.startsWith('CUE'))).toEqual(['CUE|middle', 'CUE|end']);
  });

  it('take cues with the upload too', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const cues = encodeURIComponent(JSON.stringify([{ atMs: 0, send: 'CUE|now' }]));
    const { json } = await rig.ask('POST', `${AGENT}/speeches?wait=finished&cues=${cues}`, {
      body: wavOf(sine(4000, 440, 9000)),
    });
    expect(json).toMatchObject({ end: { cuesSent: 1 } });
    expect(avatar.report().commands.map(({ line }) => line)).toContain('CUE|now');
  });
});

describe('a half-open connection', () => {
  it('does not keep the service from closing', async () => {
    rig = await startService();
    const socket = connect(rig.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => undefined);
    socket.write(
      'POST /api/agents/default/speeches HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nRI',
    );
    await until(() => rig.bridge.agents().length === 1);
    await rig.bridge.close();
    socket.destroy();
  });
});

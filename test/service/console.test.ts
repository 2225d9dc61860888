import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandCatalogue } from '../../src/agent/messages.js';
import type { Speech } from '../../src/speech/speech.js';
import { inProject } from '../support/paths.js';
import { eventsOf, type SentEvent, type ServiceRig, startService, until } from '../support/service-rig.js';
import { sine } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
beforeEach(async () => {
  rig = await startService();
});
afterEach(() => rig.close());

/** Asks for a path as it stands; clients would tidy it up. */
function askRaw(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(rig.port, '127.0.0.1');
    socket.setEncoding('utf8').on('data', (chunk) => (text += chunk as unknown as string));
    socket.on('end', () => resolve(text)).on('error', reject);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  });
}

describe('the files of the console', () => {
  const names = readdirSync(inProject('src/console'));

  it('are served with their types, and weigh less than 200 KB together', async () => {
    const types: Record<string, string> = {
      html: 'text/html; charset=utf-8',
      css: 'text/css; charset=utf-8',
      js: 'application/javascript; charset=utf-8',
      svg: 'image/svg+xml',
    };
    let bytes = 0;
    for (const name of names) {
      const answer = await rig.ask('GET', name === 'index.html' ? '/' : `/console/${name}`);
      expect(answer.status, name).toBe(200);
      expect(answer.headers['content-type']).toBe(types[name.split('.').at(-1)!]);
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
      bytes += statSync(inProject(`src/console/${name}`)).size;
    }
    expect(bytes).toBeLessThan(200_000);
  });

  it('come under a policy that lets nothing in from elsewhere and nothing stand inline', async () => {
    const { headers, text } = await rig.ask('GET', '/');
    const policy = String(headers['content-security-policy']);
    expect(policy).not.toContain('unsafe');
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toMatch(/default-src '(self|none)'/);
    expect(text).not.toMatch(/<script>|<style|\son\w+=|style=|https?:\/\//);
  });

  it('are never those of an earlier version: no browser keeps them', async () => {
    for (const path of ['/', '/console/main.js']) {
      const { headers } = await rig.ask('GET', path);
      expect(headers['cache-control']).toBe('no-store');
      expect(headers).not.toHaveProperty('etag');
    }
  });

  it('are all there is: no path leads to anything else', async () => {
    const paths = [
      '/console/../package.json',
      '/console/..%2fpackage.json',
      '/console/%2e%2e/%2e%2e/package.json',
      '/console/..\\..\\package.json',
      '//etc/passwd',
      '/console//etc/passwd',
      '/console/',
      '/console/main.js/',
      '/console/main.js%00.html',
      '/console/index.html',
    ];
    for (const path of paths) {
      const answer = await askRaw(path);
      expect(answer, path).toMatch(/^HTTP\/1\.1 40[034]/);
      expect(answer).not.toContain('devDependencies');
    }
  });

  it('are for pages of this service alone', async () => {
    const denied = await rig.ask('GET', '/console/main.js', { headers: { 'sec-fetch-site': 'cross-site' } });
    expect(denied.status).toBe(403);
  });
});

describe('what the console asks for', () => {
  it('is the catalogue of commands', async () => {
    const answer = await rig.ask('GET', '/api/catalogue');
    expect(answer.json['commands']).toEqual(JSON.parse(JSON.stringify(commandCatalogue)));
  });

  it('is the volume, which is then the avatar’s', async () => {
    const avatar = await rig.avatar();
    const answer = await rig.ask('PUT', '/api/agents/default/gain', { json: { gainDb: -20 } });
    expect(answer.json).toMatchObject({ name: 'default', gainDb: -20 });
    // The change is a ramp of 20 ms, which has passed when the second half is heard.
    const loud = wavOf(sine(8000, 500, 20_000));
    await rig.ask('PUT', '/api/agents/default/speeches?wait=finished', { body: loud });
    const heard = avatar.heard().subarray(4000, 8000);
    const loudest = heard.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    expect(loudest).toBeGreaterThan(1900);
    expect(loudest).toBeLessThan(2100);
    expect((await rig.ask('PUT', '/api/agents/default/gain', { json: { gainDb: 21 } })).status).toBe(400);
    expect((await rig.ask('PUT', '/api/agents/nobody/gain', { json: { gainDb: 0 } })).status).toBe(404);
  });
});

describe('what the console is told while it follows', () => {
  async function follow(): Promise<{ events: SentEvent[]; end: () => void }> {
    const events: SentEvent[] = [];
    const request = rig.open('GET', '/api/events?meters');
    const response = await new Promise<Parameters<typeof eventsOf>[0]>((resolve) => {
      request.once('response', resolve).end();
    });
    void (async () => {
      for await (const event of eventsOf(response)) events.push(event);
    })().catch(() => undefined);
    return { events, end: () => request.destroy() };
  }
  const of = (events: SentEvent[], type: string): Record<string, unknown>[] =>
    events.filter(({ event }) => event === type).map(({ data }) => data);

  it('is the outline of what is spoken, whole, in order, before it is heard', async () => {
    await rig.avatar();
    const { events } = await follow();
    const body = wavOf(Int16Array.from({ length: 8000 }, (_, i) => (i < 4000 ? 8192 : -16_384)));
    await rig.ask('PUT', '/api/agents/default/speeches?wait=finished', { body });
    const stretches = of(events, 'peaks') as unknown as { fromMs: number; stepMs: number; peaks: number[] }[];
    const peaks = stretches.flatMap((stretch) => stretch.peaks);
    expect(peaks.slice(0, 25)).toEqual([
      ...Array.from({ length: 12 }, () => 64),
      128,
      ...Array.from({ length: 12 }, () => 128),
    ]);
    let endMs = 0;
    for (const { fromMs, stepMs, peaks: some } of stretches) {
      expect(fromMs).toBe(endMs);
      endMs += some.length * stepMs;
    }
    expect(endMs).toBeGreaterThanOrEqual(500);
    // Few bytes: nobody should have to think before following.
    const bytes = stretches.reduce((sum, stretch) => sum + JSON.stringify(stretch).length, 0);
    expect(bytes).toBeLessThan(3000);
  });

  it('is what an avatar holds and how far it is, only when that changes', async () => {
    await rig.avatar();
    const { events } = await follow();
    await until(() => of(events, 'vitals').length > 0);
    await rig.ask('PUT', '/api/agents/default/gain', { json: { gainDb: -3 } });
    await until(() => of(events, 'vitals').some(({ gainDb }) => gainDb === -3));
    await rig.ask('POST', '/api/agents/default/pause');
    await until(() => of(events, 'vitals').some(({ paused }) => paused === true));
    const before = of(events, 'vitals').length;
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(of(events, 'vitals')).toHaveLength(before);
  });

  it('is not even measured unless somebody asks for it', async () => {
    await rig.avatar();
    const speak = async (): Promise<boolean> => {
      const begun = new Promise<Speech>((resolve) => rig.bridge.agent().on('speech', resolve));
      const body = wavOf(sine(1600, 200, 9000));
      const speaking = rig.ask('PUT', '/api/agents/default/speeches?wait=finished', { body });
      const { recorded } = await begun;
      await speaking;
      return recorded;
    };
    expect(await speak()).toBe(false);
    const plain = rig.open('GET', '/api/events');
    const answered = once(plain, 'response');
    plain.end();
    await answered;
    expect(await speak()).toBe(false);
    const { events, end } = await follow();
    await until(() => of(events, 'snapshot').length > 0);
    expect(await speak()).toBe(true);
    end();
    await until(async () => (await rig.about()).followers === 1);
    expect(await speak()).toBe(false);
  });
});

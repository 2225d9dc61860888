import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { inProcess } from '../support/command.js';
import { eventsOf, linesOf, type ServiceRig, startService, until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
afterEach(() => rig.close());

async function threeAvatars() {
  rig = await startService({ say: { engine: new FakeEngine() } });
  return Promise.all(['a', 'b', 'c'].map((name) => rig.avatar({ name })));
}

describe('several agents in one path', () => {
  it('speak one upload in step, each whole, and each is told of', async () => {
    const avatars = await threeAvatars();
    const sound = noise(12_000, 20_000);
    const { status, json } = await rig.ask('POST', '/api/agents/a,b,c/speeches?wait=finished', {
      body: wavOf(sound),
    });
    expect(status).toBe(200);
    expect(json['speeches']).toMatchObject(
      ['a', 'b', 'c'].map((agent) => ({ agent, state: 'ended', end: { how: 'completed', error: null } })),
    );
    for (const avatar of avatars) expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
  });

  it('are told live together, and `all` is whoever is connected', async () => {
    await threeAvatars();
    const upload = rig.open('POST', '/api/agents/all/speeches', {
      headers: { accept: 'application/x-ndjson' },
    });
    upload.end(wavOf(noise(8000, 9000)));
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    const lines: Record<string, unknown>[] = [];
    for await (const line of linesOf(response)) lines.push(line);
    const agentsOf = (type: string): unknown[] =>
      lines.filter((line) => line['type'] === type).map(({ agent }) => agent);
    expect(lines.slice(0, 3).map(({ type }) => type)).toEqual(['accepted', 'accepted', 'accepted']);
    expect(agentsOf('ended').sort()).toEqual(['a', 'b', 'c']);
  });

  it('say one text, synthesised once, and take commands, each with its own answer', async () => {
    const engine = new FakeEngine();
    rig = await startService({ say: { engine, tags: { nod: 'NOD|{model}' } } });
    const avatars = await Promise.all(['a', 'b'].map((name) => rig.avatar({ name })));
    const said = await rig.ask('POST', '/api/agents/b,a/say', {
      json: { text: '[nod] Hello.', wait: 'finished' },
    });
    expect(said.json['speeches']).toMatchObject([{ agent: 'b' }, { agent: 'a' }]);
    expect(engine.texts).toEqual(['Hello.']);
    rig.bridge.agent('gone');
    const sent = await rig.ask('POST', '/api/agents/a,gone,b/commands', { json: { commands: ['HI|x'] } });
    expect(sent.json['agents']).toMatchObject([
      { agent: 'a', results: [{ command: 'HI|x', sent: true }] },
      { agent: 'gone', results: [{ sent: false, error: { code: 'AGENT_ABSENT' } }] },
      { agent: 'b', results: [{ sent: true }] },
    ]);
    for (const avatar of avatars) {
      const lines = (): string[] => avatar.report().commands.map(({ line }) => line);
      await until(() => lines().includes('HI|x'));
      expect(lines()).toContain('NOD|0');
    }
  });

  it('pause, resume, list and fall silent together', async () => {
    await threeAvatars();
    for (let i = 0; i < 2; i += 1)
      await rig.ask('POST', '/api/agents/a,b/speeches', { body: wavOf(noise(48_000, 9000)) });
    await until(() => ['a', 'b'].every((name) => rig.bridge.agent(name).snapshot().speaking));
    const paused = await rig.ask('POST', '/api/agents/a,b/pause');
    expect(paused.json['agents']).toMatchObject([
      { name: 'a', paused: true },
      { name: 'b', paused: true },
    ]);
    await rig.ask('POST', '/api/agents/a,b/resume');
    const { json } = await rig.ask('GET', '/api/agents/all/speeches');
    const speeches = json['speeches'] as unknown as { agent: string; id: string }[];
    expect(speeches.map(({ agent }) => agent)).toEqual(['a', 'a', 'b', 'b']);
    const one = await rig.ask('DELETE', `/api/agents/all/speeches/${speeches[3]!.id}`);
    expect(one.json).toMatchObject({ agent: 'b', end: { how: 'stopped' } });
    const silent = await rig.ask('POST', '/api/agents/a,b/interrupt');
    expect(silent.json['agents']).toMatchObject([
      { agent: 'a', dropped: 1 },
      { agent: 'b', dropped: 0 },
    ]);
  });

  it('are followed together', async () => {
    await threeAvatars();
    const follower = rig.open('GET', '/api/agents/a,c/events');
    follower.end();
    const [response] = (await once(follower, 'response')) as [IncomingMessage];
    const names = new Set<unknown>();
    for await (const { data } of eventsOf(response)) {
      if (data['type'] === 'snapshot') {
        const agents = data['agents'] as { name: string }[];
        expect(agents.map(({ name }) => name)).toEqual(['a', 'c']);
        for (const name of ['b', 'a', 'c']) await rig.bridge.agent(name).send('HI|x');
      } else if (data['type'] === 'message' && data['text'] === 'HI|x') names.add(data['agent']);
      if (names.size === 2) break;
    }
    expect([...names].sort()).toEqual(['a', 'c']);
    response.destroy();
  });

  it('name the one that there is not, and speak to none', async () => {
    const [a] = await threeAvatars();
    for (const [path, status, code, detail] of [
      ['a,nobody/speeches', 404, 'AGENT_UNKNOWN', /"nobody"/],
      ['a,/speeches', 400, 'AGENT_NAME_INVALID', /empty name/],
      ['a,all/speeches', 400, 'AGENT_NAME_INVALID', /'all'/],
    ] as const) {
      const answer = await rig.ask('POST', `/api/agents/${path}`, { body: wavOf(noise(800, 9000)) });
      expect([path, answer.status, answer.json['code']]).toEqual([path, status, code]);
      expect(answer.json['detail']).toMatch(detail);
    }
    expect(a!.heard()).toHaveLength(0);
    expect((await rig.ask('GET', '/api/agents/all/stream')).status).toBe(426);
    expect(() => rig.bridge.agent('all')).toThrow(/every agent/);
  });

  it('are not held back by one that stops reading, whose end is told all the same', async () => {
    const [a, b, c] = await threeAvatars();
    const sound = noise(32_000, 9000);
    const answer = rig.ask('POST', '/api/agents/a,b,c/speeches?wait=finished&leadMs=500', {
      body: wavOf(sound),
    });
    await until(() => rig.bridge.agent('b').snapshot().speaking);
    b!.stopReading();
    const { status, json } = await answer;
    expect(status).toBe(200);
    expect(json['speeches']).toMatchObject([
      { agent: 'a', end: { how: 'completed', gaps: { count: 0 } } },
      { agent: 'b', end: { how: 'failed', error: { code: 'AGENT_STALLED' } } },
      { agent: 'c', end: { how: 'completed', gaps: { count: 0 } } },
    ]);
    for (const avatar of [a!, c!]) expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
    const silent = await rig.ask('POST', '/api/agents/all/interrupt');
    expect(silent.status).toBe(200);
  });
});

describe('the command with several agents', () => {
  const run = (...args: string[]) => inProcess([...args, '--port', String(rig.port)]);

  it('speaks, says, sends and steers, and tells of each', async () => {
    await threeAvatars();
    const file = join(mkdtempSync(join(tmpdir(), 'groups-')), 'short.wav');
    onTestFinished(() => rmSync(dirname(file), { recursive: true }));
    writeFileSync(file, wavOf(noise(8000, 9000)));
    const spoken = await run('speak', '--agent', 'a,b', file);
    expect([spoken.exit, spoken.err]).toEqual([0, '']);
    expect(spoken.out).toMatch(/a: short\.wav: finished: heard 0\.50 s/);
    expect(spoken.out).toMatch(/b: short\.wav: finished: heard 0\.50 s/);
    const said = await run('say', '--agent', 'all', 'Hello.');
    expect([said.exit, said.out.match(/Hello\.: finished/g)?.length]).toEqual([0, 3]);
    const sent = await run('send', '--agent', 'a,c', 'HI|x');
    expect(sent.out).toBe('a: sent: HI|x\nc: sent: HI|x\n');
    const stopped = await run('stop', '--agent', 'a,b');
    expect(stopped.out).toMatch(/a is silent: .*\nb is silent: /);
    expect((await run('pause', '--agent', 'a,b')).out).toBe('a: paused\nb: paused\n');
    expect((await run('resume', '--agent', 'all')).out).toMatch(/a: going on\nb: going on/);
    expect((await run('queue', '--agent', 'a,b')).out).toMatch(/a, b have nothing to speak/);
    const missing = await run('speak', '--agent', 'a,nobody', file);
    expect([missing.exit, missing.err]).toMatchObject([3, expect.stringMatching(/"nobody"/)]);
  });
});

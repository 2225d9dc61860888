import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { describeWith } from '../support/needs.js';
import { eventsOf, linesOf, until, type SentEvent } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { StreamClient } from '../support/stream-client.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { wavOf } from '../support/wav.js';
import { startNats, type NatsServer } from './support/nats-server.js';
import { NodeRigs, sees, shows } from './support/node-rig.js';

let nats: NatsServer;
let nodes: NodeRigs;

beforeAll(async () => {
  nats = await startNats();
  nodes = new NodeRigs(nats);
});
afterEach(() => nodes.close());
afterAll(() => nats.close());

await describeWith(['nats-server'], 'agents of several nodes', () => {
  it('are listed by every node with their node, by name@node where two nodes have the same name', async () => {
    const [kyoto, osaka, hub] = await Promise.all([
      nodes.start('kyoto'),
      nodes.start('osaka'),
      nodes.start('hub'),
    ]);
    await Promise.all([kyoto.avatar({ name: 'mei' }), osaka.avatar({ name: 'taro' }), osaka.avatar()]);
    await Promise.all([shows(hub, 'mei'), shows(hub, 'taro'), shows(hub, 'default')]);
    const listed = async (rig: typeof hub): Promise<unknown[]> => {
      const { json } = await rig.ask('GET', '/api/agents');
      const agents = json['agents'] as unknown as { name: string }[];
      return agents.sort((a, b) => (a.name < b.name ? -1 : 1));
    };
    expect(await listed(hub)).toMatchObject([
      { name: 'default', node: 'osaka' },
      { name: 'mei', node: 'kyoto', state: 'ready' },
      { name: 'taro', node: 'osaka' },
    ]);
    await kyoto.avatar();
    await shows(hub, 'default@kyoto');
    await shows(hub, 'default@osaka');
    // An agent of one's own keeps its plain name.
    await shows(kyoto, 'default');
    await shows(kyoto, 'default@osaka');
    expect((await hub.ask('GET', '/api/agents/default')).json).toMatchObject({ code: 'AGENT_AMBIGUOUS' });
    expect((await hub.ask('GET', '/api/agents/default%40osaka')).json).toMatchObject({
      name: 'default@osaka',
      node: 'osaka',
      state: 'ready',
    });
    expect((await hub.ask('GET', '/api/agents/mei%40nara')).json).toMatchObject({ code: 'NODE_UNREACHABLE' });
    expect((await hub.ask('GET', '/api/nodes')).json['nodes']).toMatchObject([
      { name: 'hub', self: true, reachable: true, agents: 0 },
      { reachable: true, agents: 2 },
      { reachable: true, agents: 2 },
    ]);
  });

  it('speak an upload sample by sample, with the answers of a local one', async () => {
    const [kyoto, hub] = await Promise.all([nodes.start('kyoto', { leadMs: 1000 }), nodes.start('hub')]);
    const avatar = await kyoto.avatar({ name: 'mei' });
    await shows(hub, 'mei');
    const sound = noise(12_345, 20_000);
    const finished = await hub.ask('POST', '/api/agents/mei/speeches?wait=finished&label=voice.wav', {
      body: wavOf(sound),
    });
    expect(finished.status).toBe(200);
    expect(finished.json).toMatchObject({ agent: 'mei', label: 'voice.wav', end: { how: 'completed' } });
    expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
    const accepted = await hub.ask('PUT', '/api/agents/mei%40kyoto/speeches', { body: wavOf(sound) });
    expect(accepted.status).toBe(202);
    expect(accepted.headers.location).toBe(`/api/agents/mei%40kyoto/speeches/${String(accepted.json['id'])}`);
    const broken = await hub.ask('POST', '/api/agents/mei/speeches?wait=finished&when=interrupt', {
      body: 'no sound at all, and long enough to be judged as what it is: a text',
    });
    const local = await kyoto.ask('POST', '/api/agents/mei/speeches?wait=finished&when=interrupt', {
      body: 'no sound at all, and long enough to be judged as what it is: a text',
    });
    expect([broken.status, broken.json['code']]).toEqual([local.status, local.json['code']]);
    expect(
      (await hub.ask('POST', '/api/agents/mei/speeches?leadMs=1', { body: wavOf(sound) })).json,
    ).toMatchObject({
      status: 400,
      code: 'REQUEST_INVALID',
    });
  });

  it('are told live, started, stopped, paused, interrupted, set and sent to like local ones', async () => {
    const [kyoto, hub] = await Promise.all([nodes.start('kyoto'), nodes.start('hub')]);
    const avatar = await kyoto.avatar({ name: 'mei' });
    await shows(hub, 'mei');
    const upload = hub.open('POST', '/api/agents/mei/speeches', {
      headers: { accept: 'application/x-ndjson' },
    });
    upload.end(wavOf(noise(160_000, 9000)));
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    const lines: Record<string, unknown>[] = [];
    const reading = (async () => {
      for await (const line of linesOf(response)) lines.push(line);
    })();
    await until(() => lines.some(({ type }) => type === 'position'));
    expect(lines[0]).toMatchObject({ type: 'accepted', agent: 'mei', node: 'kyoto' });
    const id = String(lines[0]!['speech']);
    expect((await hub.ask('GET', '/api/agents/mei/speeches')).json['speeches']).toMatchObject([
      { id, agent: 'mei' },
    ]);
    const cues = await hub.ask('POST', `/api/agents/mei/speeches/${id}/cues`, {
      json: { cues: [{ atMs: 0, send: 'CUE|now' }] },
    });
    expect(cues.json).toEqual({ added: 1 });
    expect((await hub.ask('POST', '/api/agents/mei/pause')).json).toMatchObject({
      name: 'mei',
      paused: true,
    });
    expect((await hub.ask('POST', '/api/agents/mei/resume')).json).toMatchObject({ paused: false });
    const gain = await hub.ask('PUT', '/api/agents/mei/gain', { json: { gainDb: -6 } });
    expect(gain.json).toMatchObject({ name: 'mei', node: 'kyoto', gainDb: -6 });
    const sent = await hub.ask('POST', '/api/agents/mei/commands', {
      json: { commands: ['MOTION_ADD|0|wave|w.vmd'] },
    });
    expect(sent.json).toMatchObject({ agent: 'mei', results: [{ sent: true, error: null }] });
    const dangerous = await hub.ask('POST', '/api/agents/mei/commands', {
      json: { commands: ['EXECUTE|calc'] },
    });
    expect(dangerous.json).toMatchObject({ status: 403, code: 'COMMAND_DANGEROUS' });
    expect((await hub.ask('POST', '/api/agents/mei/interrupt')).json).toMatchObject({ dropped: 0 });
    await reading;
    expect(lines.at(-1)).toMatchObject({ type: 'ended', agent: 'mei', how: 'stopped' });
    const commands = avatar.report().commands.map(({ line }) => line);
    expect(commands).toContain('CUE|now');
    expect(commands).toContain('MOTION_ADD|0|wave|w.vmd');
    const gone = await hub.ask('DELETE', `/api/agents/mei/speeches/${id}`);
    expect(gone.json).toMatchObject({ code: 'SPEECH_UNKNOWN', status: 404 });
  });

  it('are answered at the first sound while the upload goes on, and stopped when their client goes away', async () => {
    const [kyoto, hub] = await Promise.all([nodes.start('kyoto'), nodes.start('hub')]);
    await kyoto.avatar({ name: 'mei' });
    await shows(hub, 'mei');
    const upload = hub.open('POST', '/api/agents/mei/speeches?wait=started&format=s16le:16000:1');
    upload.on('error', () => undefined);
    upload.write(Buffer.from(noise(16_000, 9000).buffer));
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    let text = '';
    response.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await until(() => text.endsWith('}'));
    expect(JSON.parse(text)).toMatchObject({ agent: 'mei', state: 'speaking' });
    upload.destroy();
    await until(() => kyoto.bridge.agent('mei').speeches.length === 0);
  });

  it('say a text with the engine of their own node', async () => {
    const engine = new FakeEngine();
    const [kyoto, hub] = await Promise.all([nodes.start('kyoto', { say: { engine } }), nodes.start('hub')]);
    await kyoto.avatar({ name: 'mei' });
    await shows(hub, 'mei');
    const said = await hub.ask('POST', '/api/agents/mei/say', { json: { text: 'Hello.', wait: 'finished' } });
    expect(said.json).toMatchObject({ agent: 'mei', end: { how: 'completed' } });
    expect(engine.texts).toEqual(['Hello.']);
  });

  it('take a stream, whose words and sound come in order and whose refusals are those of their node', async () => {
    const [kyoto, hub] = await Promise.all([nodes.start('kyoto', { leadMs: 1000 }), nodes.start('hub')]);
    const avatar = await kyoto.avatar({ name: 'mei' });
    await shows(hub, 'mei');
    const client = await StreamClient.open(hub.port, 'mei');
    expect((await client.next('hello')).agent).toMatchObject({ name: 'mei', node: 'kyoto' });
    client.say({ type: 'start', format: 's16le:16000:1', ref: 'one' });
    const sound = noise(24_000, 20_000);
    client.sound(sound);
    client.say({ type: 'mark', name: 'half' });
    client.say({ type: 'commands', commands: ['EXECUTE|calc'], ref: 'no' });
    client.say({ type: 'end' });
    expect(await client.next('error')).toMatchObject({ ref: 'no', error: { code: 'COMMAND_DANGEROUS' } });
    expect(await client.next('mark')).toMatchObject({ name: 'half', heard: true });
    expect(await client.next('ended')).toMatchObject({ how: 'completed', agent: 'mei' });
    expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
    client.say({ type: 'start', format: 's16le:16000:1' });
    client.sound(noise(160_000, 9000));
    await until(
      () =>
        client.all('state').some(({ state }) => state === 'speaking') && client.all('position').length > 0,
    );
    client.say({ type: 'interrupt' });
    expect((await client.next('interrupted')).heardMs).toBeGreaterThan(0);
    client.socket.close(1000);
    await client.closed();
    await until(async () => (await kyoto.about()).streams === 0);
  });

  it('make groups across nodes, each whole, with the answers in the order of the names', async () => {
    const [kyoto, osaka, hub] = await Promise.all([
      nodes.start('kyoto', { leadMs: 1000 }),
      nodes.start('osaka', { leadMs: 1000 }),
      nodes.start('hub', { leadMs: 1000 }),
    ]);
    const avatars = [
      await kyoto.avatar({ name: 'a' }),
      await osaka.avatar({ name: 'b' }),
      await hub.avatar({ name: 'c' }),
      await osaka.avatar({ name: 'd' }),
    ];
    await Promise.all(['a', 'b', 'd'].map((name) => shows(hub, name)));
    const sound = noise(12_000, 20_000);
    const { status, json } = await hub.ask(
      'POST',
      '/api/agents/b%40osaka,c,a%40kyoto,d/speeches?wait=finished',
      {
        body: wavOf(sound),
      },
    );
    expect(status).toBe(200);
    expect(json['speeches']).toMatchObject(
      ['b', 'c', 'a', 'd'].map((agent) => ({ agent, end: { how: 'completed' } })),
    );
    for (const avatar of avatars) expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
    const sent = await hub.ask('POST', '/api/agents/all/commands', { json: { commands: ['HELLO|all'] } });
    expect((sent.json['agents'] as unknown as { agent: string }[]).map(({ agent }) => agent).sort()).toEqual([
      ...['a', 'b', 'c', 'd'],
    ]);
    for (const avatar of avatars) {
      await until(() => avatar.report().commands.some(({ line }) => line === 'HELLO|all'));
    }
    const long = await hub.ask('POST', '/api/agents/a,c/speeches?wait=started', {
      body: wavOf(noise(160_000, 9000)),
    });
    expect(long.json['speeches']).toMatchObject([{ agent: 'a' }, { agent: 'c' }]);
    const paused = await hub.ask('POST', '/api/agents/c,a/pause');
    expect(paused.json['agents']).toMatchObject([
      { name: 'c', paused: true },
      { name: 'a', node: 'kyoto', paused: true },
    ]);
    const silent = await hub.ask('POST', '/api/agents/a,c/interrupt');
    expect(silent.json['agents']).toMatchObject([{ agent: 'a' }, { agent: 'c' }]);
    const unknown = await hub.ask('POST', '/api/agents/a,nobody/speeches', { body: wavOf(sound) });
    expect(unknown.json).toMatchObject({ status: 404, code: 'AGENT_UNKNOWN' });
  });

  it('are followed on any node, with their positions, and by their full name', async () => {
    const [kyoto, hub] = await Promise.all([nodes.start('kyoto'), nodes.start('hub')]);
    await kyoto.avatar({ name: 'mei' });
    await shows(hub, 'mei');
    const request = hub.open('GET', '/api/events?agent=mei@kyoto');
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const events: SentEvent[] = [];
    void (async () => {
      for await (const event of eventsOf(response)) events.push(event);
    })().catch(() => undefined);
    await until(() => events.length > 0);
    expect(events[0]!.data).toMatchObject({ type: 'snapshot', agents: [{ name: 'mei', node: 'kyoto' }] });
    await kyoto.ask('POST', '/api/agents/mei/speeches?wait=finished', { body: wavOf(noise(40_000, 9000)) });
    await until(() => events.some(({ event }) => event === 'ended'));
    expect(events.find(({ event }) => event === 'accepted')!.data).toMatchObject({
      agent: 'mei',
      node: 'kyoto',
    });
    expect(events.some(({ event }) => event === 'position')).toBe(true);
    expect(events.some(({ event }) => event === 'missed')).toBe(false);
    request.destroy();
  });

  it('are sent a private address by the node whose caller is local, and refuse to fetch one themselves', async () => {
    const sound = noise(8000, 20_000);
    let fetched = 0;
    const web = createServer((_request, response) => {
      fetched += 1;
      response.setHeader('content-type', 'audio/wav').end(wavOf(sound));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void web.close());
    await once(web, 'listening');
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/voice.wav`;
    const [kyoto, hub] = await Promise.all([nodes.start('kyoto', { leadMs: 1000 }), nodes.start('hub')]);
    const avatar = await kyoto.avatar({ name: 'mei' });
    await shows(hub, 'mei');
    const spoken = await hub.ask('POST', '/api/agents/mei/speeches', {
      json: { url, wait: 'finished', gainDb: 0 },
    });
    expect(spoken.json).toMatchObject({ label: url, end: { how: 'completed' } });
    expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
    expect(fetched).toBe(1);
    const far = await hub.ask('POST', '/api/agents/mei/speeches', {
      json: { url, wait: 'finished' },
      headers: { 'x-forwarded-for': '203.0.113.7' },
    });
    expect(far.json).toMatchObject({ status: 403, code: 'SOURCE_DENIED' });
    expect(fetched).toBe(1);
  });

  it('do for other nodes only what their own node allows', async () => {
    const [kyoto, hub] = await Promise.all([
      nodes.start('kyoto', { natsAllow: ['say'], say: { engine: new FakeEngine() } }),
      nodes.start('hub'),
    ]);
    await kyoto.avatar({ name: 'mei' });
    await sees(hub, ['kyoto']);
    await shows(hub, 'mei');
    const ask = async (method: string, path: string, given: object = {}): Promise<unknown> =>
      (await hub.ask(method, `/api/agents/mei/${path}`, given)).json['code'];
    expect(await ask('POST', 'speeches', { body: wavOf(noise(800, 9000)) })).toBe('NODE_DENIED');
    expect(await ask('POST', 'commands', { json: { commands: ['A|b'] } })).toBe('NODE_DENIED');
    expect(await ask('POST', 'interrupt')).toBe('NODE_DENIED');
    expect(await ask('PUT', 'gain', { json: { gainDb: 0 } })).toBe('NODE_DENIED');
    const cue = { text: 'Hello.', cues: [{ atMs: 0, send: 'A|b' }] };
    expect(await ask('POST', 'say', { json: cue })).toBe('NODE_DENIED');
    expect(await ask('POST', 'say', { json: { text: 'Hello.', tags: { nod: 'A|b' } } })).toBe('NODE_DENIED');
    expect(await ask('POST', 'say', { json: { text: 'Hello.', wait: 'finished' } })).toBeUndefined();
    const client = await StreamClient.open(hub.port, 'mei');
    client.say({ type: 'start', format: 's16le:16000:1', ref: 'sound' });
    client.say({ type: 'interrupt', ref: 'stop' });
    expect(await client.next('error')).toMatchObject({ ref: 'sound', error: { code: 'NODE_DENIED' } });
    expect(await client.next('error', 2)).toMatchObject({ ref: 'stop', error: { code: 'NODE_DENIED' } });
    client.socket.close();
    // Its own callers may do everything.
    expect((await kyoto.ask('POST', '/api/agents/mei/interrupt')).status).toBe(200);
  });
});

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { linesOf, startService, until, type ServiceRig } from '../support/service-rig.js';
import { KEY, startAzure, startOpenAi } from '../support/tts/cloud-engines.js';
import type { EngineServer } from '../support/tts/engine-server.js';
import { FakeEngine } from '../support/tts/fake-engine.js';

let rig: ServiceRig;
let standIn: EngineServer | undefined;
afterEach(async () => {
  await rig.close();
  await standIn?.close();
  standIn = undefined;
});

const SAY = '/api/agents/default/say';

/** A service whose voice is an engine in memory. */
async function withEngine(engine = new FakeEngine()): Promise<FakeEngine> {
  rig = await startService({ say: { engine } });
  await rig.avatar();
  return engine;
}

describe('text by request', () => {
  it('is spoken from a plain body or a JSON one, with the same options', async () => {
    const engine = await withEngine();
    const plain = await rig.ask('POST', `${SAY}?wait=finished&rate=1.5&voice=a&label=plain`, {
      body: 'One.',
    });
    expect(plain.json).toMatchObject({ label: 'plain', end: { how: 'completed' } });
    const json = await rig.ask('POST', `${SAY}?wait=finished`, {
      json: {
        ...{ text: 'Two TTS.', rate: 2, pitchSemitones: -1, volume: 0.5, voice: 'b', language: 'en' },
        dictionary: { TTS: 'speech' },
      },
    });
    expect(json.json).toMatchObject({ label: 'Two TTS.', end: { how: 'completed' } });
    expect(engine.asked).toEqual([
      { text: 'One.', speech: { rate: 1.5, voice: 'a' } },
      {
        text: 'Two speech.',
        speech: { rate: 2, pitchSemitones: -1, volume: 0.5, voice: 'b', language: 'en' },
      },
    ]);
  });

  it('is decoded by its charset, and refused when its bytes are something else', async () => {
    const engine = await withEngine();
    const bytes = Buffer.from('a4b3a4f3a4cba4c1a4cfa1a3', 'hex');
    const ask = (type: string, body: Buffer): ReturnType<ServiceRig['ask']> =>
      rig.ask('POST', `${SAY}?wait=finished`, { headers: { 'content-type': type }, body });
    const read = await ask('text/plain; charset=EUC-JP', bytes);
    expect(read.json).toMatchObject({ end: { how: 'completed' } });
    expect(engine.texts).toEqual(['こんにちは。']);
    const wrong = await ask('text/plain; charset=utf-8', bytes);
    expect([wrong.status, wrong.json]).toMatchObject([422, { code: 'TEXT_ENCODING' }]);
    const unknown = await ask('text/plain; charset=klingon', bytes);
    expect(unknown.json).toMatchObject({ code: 'OPTION_INVALID' });
    const json = await ask(
      'application/json',
      Buffer.concat([Buffer.from('{"text":"'), bytes, Buffer.from('"}')]),
    );
    expect([json.status, json.json]).toMatchObject([422, { code: 'TEXT_ENCODING' }]);
    expect(engine.texts).toHaveLength(1);
  });

  it('is spoken without what it is to skip', async () => {
    const engine = await withEngine();
    const body = '<think>hm</think>Yes. *waves*';
    await rig.ask('POST', `${SAY}?wait=finished`, { body });
    await rig.ask('POST', `${SAY}?wait=finished&skip=think`, { body });
    await rig.ask('POST', `${SAY}?wait=finished&skip=none`, { body });
    expect(engine.texts).toEqual(['Yes.', 'Yes. waves', 'hmYes. waves']);
    const wrong = await rig.ask('POST', `${SAY}?skip=everything`, { body });
    expect(wrong.json).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('does what its tags say', async () => {
    await withEngine();
    const avatar = await rig.avatar({ name: 'tags' });
    const tags = { nod: 'MOTION_ADD|{model}|nod|nod.vmd', rest: { pauseMs: 20 } };
    const query = new URLSearchParams({ wait: 'finished', tags: JSON.stringify(tags) });
    const answer = await rig.ask('POST', `/api/agents/tags/say?${query.toString()}`, {
      body: 'Yes. [nod] [rest] No.',
    });
    expect(answer.json).toMatchObject({ end: { how: 'completed', cuesSent: 1 } });
    expect(avatar.report().commands.map(({ line }) => line)).toContain('MOTION_ADD|0|nod|nod.vmd');
  });

  it('is told live while it is still being written, and ends with its client', async () => {
    await withEngine();
    const upload = rig.open('POST', SAY, { headers: { accept: 'application/x-ndjson' } });
    upload.write('The first sentence. ');
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    const types: unknown[] = [];
    for await (const { type, state } of linesOf(response)) {
      types.push(type);
      if (state === 'speaking') upload.end('The second.');
    }
    expect(types[0]).toBe('accepted');
    expect(types.at(-1)).toBe('ended');
    const left = rig.open('POST', `${SAY}?wait=finished`);
    left.on('error', () => undefined);
    left.end('A text that is far too long to be heard before the client goes away from it.');
    await until(() => rig.bridge.agent().speeches[0]?.state === 'speaking');
    const [speech] = rig.bridge.agent().speeches;
    left.destroy();
    expect(await speech!.finished).toMatchObject({ how: 'stopped' });
  });

  it('is refused like a sound is: an encoded body, an unknown option, nothing to say, an engine that fails', async () => {
    await withEngine(
      new FakeEngine({ fate: (text) => (text.includes('boom') ? 'ENGINE_DENIED' : undefined) }),
    );
    const cases: [string, string, Record<string, string>, number, string][] = [
      [SAY, 'x', { 'content-encoding': 'gzip' }, 400, 'REQUEST_INVALID'],
      [`${SAY}?loud=1`, 'x', {}, 400, 'REQUEST_INVALID'],
      [`${SAY}?rate=9`, 'x', {}, 400, 'REQUEST_INVALID'],
      [`${SAY}?tags=nod`, 'x', {}, 400, 'REQUEST_INVALID'],
      [`${SAY}?engine=nosuch`, 'x', {}, 400, 'ENGINE_UNKNOWN'],
      [`${SAY}?engine=azure`, 'x', {}, 400, 'ENGINE_KEY_MISSING'],
      [`${SAY}?wait=finished`, '…', {}, 422, 'TEXT_EMPTY'],
      [`${SAY}?wait=finished`, 'boom', {}, 403, 'ENGINE_DENIED'],
      [`${SAY}?wait=started`, 'boom', {}, 403, 'ENGINE_DENIED'],
    ];
    for (const [path, body, headers, status, code] of cases) {
      const answer = await rig.ask('POST', path, { body, headers });
      expect([path, body, answer.status, answer.json['code']]).toEqual([path, body, status, code]);
    }
  });
});

describe('an engine that a request names', () => {
  it('has the options that the service keeps for it, and not those of the default engine', async () => {
    standIn = await startOpenAi();
    rig = await startService({
      engine: 'voicevox',
      voice: '3',
      baseUrl: 'http://127.0.0.1:1',
      engines: { kokoro: { options: { baseUrl: standIn.baseUrl }, voice: 'af_bella' } },
    });
    await rig.avatar();
    const answer = await rig.ask('POST', `${SAY}?wait=finished&engine=kokoro`, { body: 'Hello.' });
    expect(answer.json).toMatchObject({ end: { how: 'completed' } });
    expect(standIn.requests.at(-1)?.json).toMatchObject({ voice: 'af_bella' });
    const voices = await rig.ask('GET', '/api/voices?engine=kokoro');
    expect(voices.json).toMatchObject({ engine: 'kokoro', voices: [{ id: 'af_heart' }, { id: 'af_bella' }] });
  });

  it('speaks what the other cannot, when it is the fallback', async () => {
    standIn = await startOpenAi();
    rig = await startService({
      ...{ engine: 'voicevox', baseUrl: 'http://127.0.0.1:1', fallback: 'kokoro' },
      engines: { kokoro: { options: { baseUrl: standIn.baseUrl } } },
    });
    await rig.avatar();
    const answer = await rig.ask('POST', `${SAY}?wait=finished`, { body: 'Hello.' });
    expect(answer.json).toMatchObject({ end: { how: 'completed' } });
    expect(standIn.to('/v1/audio/speech')).toHaveLength(1);
    const without = await rig.ask('POST', `${SAY}?wait=finished&fallback=none`, { body: 'Hello.' });
    expect(without.json).toMatchObject({ code: 'ENGINE_UNREACHABLE' });
  });

  it('takes nothing from a caller that could run a program, read a file or give a key away', async () => {
    standIn = await startAzure();
    vi.stubEnv('TEST_KEY_OF_SAY', KEY);
    const kept = { baseUrl: standIn.baseUrl, keyEnv: 'TEST_KEY_OF_SAY' };
    rig = await startService({ engines: { azure: { options: kept } } });
    await rig.avatar();
    const say = (engine: string, engineOptions: object, headers = {}) =>
      rig.ask('POST', `${SAY}?wait=finished&${new URLSearchParams({ engine }).toString()}`, {
        json: { text: 'Hello.', engineOptions },
        headers,
      });
    for (const [engine, options] of [
      ['program', { program: 'id' }],
      ['espeak', { program: 'id' }],
      ['piper', { model: '/etc/hostname' }],
      ['flite', { wasmFile: '/etc/hostname' }],
      ['openai', { keyEnv: 'PATH' }],
      ['elevenlabs', { baseUrl: 'http://127.0.0.1:1' }],
      ['azure', { baseUrl: 'http://127.0.0.1:1' }],
    ] as const) {
      const { status, json } = await say(engine, options);
      expect([engine, status, json['code']]).toEqual([engine, 403, 'COMMAND_DANGEROUS']);
    }
    // What the service has itself may be named by anybody.
    const remote = { 'x-forwarded-for': '203.0.113.7' };
    expect((await say('kokoro', { baseUrl: 'http://127.0.0.1:1' }, remote)).json['code']).toBe(
      'REQUEST_INVALID',
    );
    expect((await say('azure', kept, remote)).json).toMatchObject({ end: { how: 'completed' } });
    vi.unstubAllEnvs();
  });
});

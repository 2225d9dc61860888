import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/base/clock.js';
import { BridgeError } from '../../src/base/errors.js';
import { HttpClient } from '../../src/tts/http-client.js';
import type { HttpLimits } from '../../src/tts/http-reply.js';
import { EngineServer, type Manners, type StandInReply } from '../support/tts/engine-server.js';

const KEY = 'sk-secret/key+1234';
const never = new AbortController().signal;
let server: EngineServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(reply: StandInReply, manners: Manners = {}, limits: Partial<HttpLimits> = {}) {
  server = await EngineServer.start(() => reply, manners);
  const client = new HttpClient({
    engine: 'test',
    baseUrl: server.baseUrl,
    clock: systemClock,
    secrets: [KEY],
    limits,
    headers: { 'x-key': KEY },
  });
  return { server, client };
}

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.length;
  return bytes;
}

/** The error of a request whose body is taken as sound. */
async function failure(client: HttpClient, signal = never): Promise<BridgeError> {
  try {
    await drain((await client.request('/speak', {}, signal)).audio());
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error('It did not fail.');
}

const sound = { body: Buffer.alloc(10_000, 7) };

describe('HttpClient', () => {
  it('sends headers, query and JSON, and takes the body whole', async () => {
    const { client, server } = await start(sound, { chunkBytes: 999 });
    const request = { query: { text: 'あ&b', rate: 1.5, none: undefined }, body: { text: '日本' } };
    const reply = await client.request('/speak', request, never);
    expect(await drain(reply.audio())).toBe(10_000);
    const seen = server.requests[0]!;
    expect([seen.method, seen.path, seen.json]).toEqual(['POST', '/speak', { text: '日本' }]);
    expect([...seen.query]).toEqual([
      ['text', 'あ&b'],
      ['rate', '1.5'],
    ]);
    expect(seen.headers).toMatchObject({
      'x-key': KEY,
      'content-type': 'application/json',
      'accept-encoding': 'identity',
    });
  });

  it.each<[number, string]>([
    [400, 'ENGINE_REFUSED'],
    [404, 'ENGINE_REFUSED'],
    [408, 'ENGINE_BUSY'],
    [422, 'ENGINE_REFUSED'],
    [401, 'ENGINE_DENIED'],
    [403, 'ENGINE_DENIED'],
    [429, 'ENGINE_BUSY'],
    [500, 'ENGINE_FAILED'],
  ])('tells status %i as %s, with the words of the engine', async (status, code) => {
    const { client } = await start({ status, body: { error: { message: 'It has gone wrong.' } } });
    const error = await failure(client);
    expect(error.code).toBe(code);
    expect(error.message).toBe(`The engine test answered with status ${status}: It has gone wrong.`);
  });

  it.each<[string, StandInReply, RegExp]>([
    ['JSON with status 200', { body: { detail: 'no model' } }, /in place of sound: no model\.$/],
    [
      'JSON that says it is sound',
      { type: 'audio/wav', body: '{"message":"no model"}' },
      /without sound: no model\.$/,
    ],
    [
      'a web page',
      { type: 'text/html', body: '<h1>Login</h1> please' },
      /text\/html in place of sound: Login please\.$/,
    ],
    ['nothing', { type: 'audio/wav', body: '' }, /answered with nothing\.$/],
  ])('does not take %s for sound', async (_, reply, message) => {
    const { client } = await start(reply);
    const error = await failure(client);
    expect(error.code).toBe('ENGINE_FAILED');
    expect(error.message).toMatch(message);
  });

  it('waits as a 429 asks and then succeeds', async () => {
    const manners: Manners = { failures: 1, failure: { status: 429, headers: { 'retry-after': '0.15' } } };
    const { client, server } = await start(sound, manners);
    const reply = await client.request('/speak', {}, never);
    expect(await drain(reply.audio())).toBe(10_000);
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1]!.atMs - server.requests[0]!.atMs).toBeGreaterThanOrEqual(149);
  });

  it.each([
    ['asks for longer than the bound', '3600', 1],
    ['never ends', '0', 3],
  ])('gives up on a 429 that %s', async (_, retryAfter, requests) => {
    const failing = { status: 429, headers: { 'retry-after': retryAfter } };
    const { client, server } = await start(sound, { failures: 100, failure: failing });
    expect((await failure(client)).code).toBe('ENGINE_BUSY');
    expect(server.requests).toHaveLength(requests);
  });

  it('stops waiting for a 429 when it is aborted', async () => {
    const failing = { status: 429, headers: { 'retry-after': '9' } };
    const { client } = await start(sound, { failures: 100, failure: failing });
    const abort = new AbortController();
    const request = client.request('/speak', {}, abort.signal);
    setTimeout(() => abort.abort(new Error('enough')), 50);
    await expect(request).rejects.toThrow('enough');
  });

  it.each([
    ['with a stated length', false],
    ['without one', true],
  ])('tells a reply that is cut off, %s', async (_, chunked) => {
    const { client } = await start({ ...sound, chunked }, { chunkBytes: 1000, cutAfterBytes: 4500 });
    const error = await failure(client);
    expect(error.code).toBe('ENGINE_FAILED');
    expect(error.message).toMatch(/^The engine test broke off its reply after 4500 bytes/);
  });

  it('tells an engine that hangs before its reply, and one that hangs in it', async () => {
    const { client, server } = await start(
      { ...sound, chunked: true },
      { failures: 1, failure: 'hang' },
      { firstByteMs: 100, idleMs: 100 },
    );
    expect(await failure(client)).toMatchObject({
      code: 'ENGINE_TIMEOUT',
      message: expect.stringMatching(/within 100 ms/) as string,
    });
    Object.assign(server.manners, { chunkBytes: 5000, gapMs: 2000 });
    expect(await failure(client)).toMatchObject({
      code: 'ENGINE_TIMEOUT',
      message: 'The engine test sent nothing for 100 ms after 5000 bytes.',
    });
  });

  it('bounds the size of a reply', async () => {
    const { client } = await start(sound, {}, { maxReplyBytes: 5000 });
    expect((await failure(client)).message).toMatch(/more than 5000 bytes/);
  });

  it('tells an engine that is not there, by its address', async () => {
    const { client, server } = await start(sound);
    await server.close();
    const error = await failure(client);
    expect(error.code).toBe('ENGINE_UNREACHABLE');
    expect(error.message).toContain(`cannot be reached at ${server.baseUrl}: connect ECONNREFUSED`);
  });

  it('does not follow a redirect, where the key would go along', async () => {
    const { client, server } = await start({ status: 307, headers: { location: '/elsewhere' }, body: '' });
    expect((await failure(client)).message).toMatch(/redirects to \/elsewhere/);
    expect(server.requests).toHaveLength(1);
  });

  it('ends the request at once when it is aborted in mid-reply', async () => {
    const { client, server } = await start({ ...sound, chunked: true }, { chunkBytes: 100, gapMs: 20 });
    const abort = new AbortController();
    const reply = await client.request('/speak', {}, abort.signal);
    const chunks = reply.audio();
    await chunks.next();
    abort.abort(new Error('enough'));
    await expect(drain(chunks)).rejects.toThrow('enough');
    await expect.poll(() => server.aborted).toBe(1);
  });

  it('ends the request when who takes the reply stops early', async () => {
    const { client, server } = await start({ ...sound, chunked: true }, { chunkBytes: 100, gapMs: 20 });
    const chunks = (await client.request('/speak', {}, never)).audio();
    await chunks.next();
    await chunks.return();
    await expect.poll(() => server.aborted).toBe(1);
  });

  it('leaves no listener on a signal that lives on', async () => {
    const { client } = await start(sound);
    const abort = new AbortController();
    let listeners = 0;
    const { signal } = abort;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
    for (let i = 0; i < 3; i++) await drain((await client.request('/speak', {}, signal)).audio());
    expect(listeners).toBe(0);
  });

  it('checks the shape of JSON and says where it differs', async () => {
    const { client } = await start({ body: { a: { b: 1 } } });
    const reply = await client.request('/x', {}, never);
    await expect(reply.json(z.object({ a: z.object({ b: z.string() }) }))).rejects.toThrow(
      /another shape, at a\.b/,
    );
  });

  it('shows the key nowhere: not in the message, not in the cause, however it is quoted', async () => {
    const quoting = `bad key ${KEY} or ${encodeURIComponent(KEY)} or sk-se****1234`;
    const { client, server } = await start({ status: 401, body: { error: quoting } });
    const errors = [await failure(client)];
    await server.close();
    errors.push(
      await failure(client),
      client.error('ENGINE_FAILED', `said ${KEY}.`, new Error(`header ${KEY}`)),
    );
    for (const error of errors) {
      const all = `${String(error)} ${error.stack ?? ''} ${String(error.cause)} ${JSON.stringify(error)}`;
      expect(all).not.toContain('secret');
      expect(all).not.toContain('1234');
    }
  });
});

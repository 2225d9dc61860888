import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { sayRaw } from '../support/raw-http.js';
import { type ApiDocument, type JsonSchema, type Operation, readDocument } from '../support/routes.js';
import { answerOf, type ServiceRig, startService, until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { StreamClient } from '../support/stream-client.js';
import { wavOf } from '../support/wav.js';
import fc from 'fast-check';

let rig: ServiceRig;
afterEach(() => rig.close());

/** What a route may answer when an avatar is not there, or is slow: not its own failure. */
const UNAVAILABLE = new Set([503, 504]);

/** What is nearly always wrong, whatever was asked for. */
const junk = fc.oneof(
  { withCrossShrink: true },
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    null,
    -1,
    0,
    1e308,
    NaN,
    '',
    'true',
    '__proto__',
    '\u0000',
    '../../x',
    '%zz',
    [],
    {},
    'A\nB',
  ),
  fc.integer(),
  fc.double(),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Values that a schema allows, and now and then one that it does not. */
function valueOf(schema: JsonSchema, document: ApiDocument, depth = 0): fc.Arbitrary<unknown> {
  const inner = (other: JsonSchema): fc.Arbitrary<unknown> => valueOf(other, document, depth + 1);
  const right = (): fc.Arbitrary<unknown> => {
    if (schema.$ref !== undefined) return inner(document.schemas[schema.$ref.split('/').at(-1)!] ?? {});
    const either = schema.anyOf ?? schema.oneOf;
    if (either) return fc.oneof(...either.map(inner));
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (schema.enum) return fc.constantFrom(...schema.enum);
    const { minimum: min = -1e6, maximum: max = 1e6 } = schema;
    switch (schema.type) {
      case 'object':
        return fc.record(
          Object.fromEntries(
            Object.entries(schema.properties ?? {}).map(([key, other]) => [key, inner(other)]),
          ),
          { requiredKeys: [...(schema.required ?? [])] },
        );
      case 'array':
        return fc.array(inner(schema.items ?? {}), { maxLength: 4 });
      case 'integer':
        return fc.integer({ min: Math.max(min, -1e6), max: Math.min(max, 1e6) });
      case 'number':
        return fc.double({ min, max, noNaN: true });
      case 'boolean':
        return fc.boolean();
      case 'string':
        return fc.oneof(
          fc.string({ maxLength: 12 }),
          fc.constantFrom('A|1', 's1', 'target', 's16le:16000:1'),
        );
      default:
        return junk;
    }
  };
  return depth > 6 ? junk : fc.oneof({ weight: 6, arbitrary: right() }, { weight: 1, arbitrary: junk });
}

/** As JSON; what JSON cannot say is nothing. */
const json = (value: unknown): string => (value === undefined ? '' : JSON.stringify(value));

const asText = (value: unknown): string =>
  encodeURIComponent(typeof value === 'string' ? value : json(value)).replaceAll("'", '');

/** A request that is made as the document says, more or less. */
function requestOf(
  operation: Operation,
  document: ApiDocument,
): fc.Arbitrary<[string, string, string | undefined]> {
  const query = operation.parameters.filter((parameter) => parameter.in === 'query');
  return fc
    .tuple(
      fc.oneof(
        { weight: 4, arbitrary: fc.constant('target') },
        { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
      ),
      fc.record(Object.fromEntries(query.map(({ name, schema }) => [name, valueOf(schema, document)])), {
        requiredKeys: [],
      }),
      operation.body ? valueOf(operation.body, document) : junk,
    )
    .map(([name, params, body]) => {
      const path = operation.path
        .replace('{name}', asText(name) || 'x')
        .replace(/\{\w+\}/, () => asText(name === 'target' ? 's1' : name) || 's1');
      const search = Object.entries(params).map(([key, value]) => `${key}=${asText(value)}`);
      const sent = operation.method === 'GET' ? undefined : json(body);
      return [operation.method, `${path}?${search.join('&')}`, sent];
    });
}

/** A client that has waited for so long goes away, in ms: garbage can ask for a wait of a day. */
const PATIENCE_MS = 700;

/**
 * Asks, and takes no more than the head of an answer that does not end by itself.
 * @returns status and text; status 0 when it waited in vain
 */
async function ask(method: string, path: string, body: string | undefined): Promise<[number, string]> {
  const outgoing = rig.open(method, path, {
    headers:
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
  });
  outgoing.end(body);
  const timer = setTimeout(() => outgoing.destroy(new Error('waited in vain')), PATIENCE_MS);
  let response: IncomingMessage;
  try {
    [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  } catch {
    return [0, ''];
  } finally {
    clearTimeout(timer);
  }
  const type = String(response.headers['content-type']);
  if (/event-stream|ndjson/.test(type)) {
    response.destroy();
    return [response.statusCode!, ''];
  }
  const { status, text } = await answerOf(response);
  return [status, text];
}

describe('garbage', () => {
  it('of every shape that the document of the API suggests breaks nothing on any route', async () => {
    rig = await startService({ leadMs: 1000, agentTimeoutMs: 50, maxAgents: 20 });
    const [avatar, target] = [await rig.avatar(), await rig.avatar({ name: 'target' })];
    const document = await readDocument(rig);
    // An avatar that speaks meanwhile must not notice.
    const sound = noise(16_000 * 3, 9000);
    const spoken = rig.ask('POST', '/api/agents/default/speeches?wait=finished', { body: wavOf(sound) });
    const bodies = document.operations.filter(({ body }) => body).length;
    expect([document.operations.length > 20, bodies > 4]).toEqual([true, true]);
    const tried = new Map<string, number>();
    for (const operation of document.operations) {
      await fc.assert(
        fc.asyncProperty(requestOf(operation, document), async ([method, path, body]) => {
          // All agents at once would be the one that must not notice, too.
          if (/agents\/(\*|%2A|all|.*default)/.test(path)) return;
          const [status, text] = await ask(method, path, body);
          if (status === 0) return;
          if (status >= 500 && !UNAVAILABLE.has(status))
            throw new Error(`${status} for ${method} ${path}: ${text}`);
          if (status >= 400)
            expect(JSON.parse(text)).toMatchObject({ status, code: expect.any(String) as string });
          tried.set(String(status), (tried.get(String(status)) ?? 0) + 1);
        }),
        { numRuns: 12 },
      );
      await rig.ask('POST', '/api/agents/target/resume');
      await rig.ask('POST', '/api/agents/target/interrupt');
    }
    // Some of it was right, and some wrong in more than one way.
    expect(tried.get('200')).toBeGreaterThan(20);
    expect(tried.get('400')).toBeGreaterThan(20);
    expect((await spoken).json).toMatchObject({ end: { how: 'completed', gaps: { count: 0 } } });
    expect(compareHeard(sound, avatar.heard()).exact).toBe(true);
    expect([avatar.report().gapCount, avatar.report().faults, target.report().faults]).toEqual([0, [], []]);
    expect(target.report().alive).toBe(true);
    await until(async () => {
      const { uploads, streams, followers } = await rig.about();
      return uploads + streams + followers === 0;
    });
    await until(() => rig.bridge.agents().every(({ speeches }) => speeches.length === 0));
  });

  it('over a stream is refused message by message, and the stream goes on', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const document = await readDocument(rig);
    const client = await StreamClient.open(rig.port);
    const schema = document.schemas['StreamClientMessage']!;
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            { weight: 3, arbitrary: valueOf(schema, document).map(json) },
            { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
            { weight: 1, arbitrary: fc.uint8Array({ maxLength: 2000 }) },
          ),
          { maxLength: 20 },
        ),
        (messages) => {
          for (const message of messages) client.socket.send(message);
        },
      ),
      { numRuns: 20 },
    );
    client.say({ type: 'resume' });
    client.say({ type: 'stop' });
    client.say({ type: 'commands', ref: 'last', commands: ['LAST|1'] });
    await until(() => client.all('commands').some(({ ref }) => ref === 'last'));
    expect(client.all('error').length).toBeGreaterThan(20);
    expect(client.all('error').filter(({ error }) => error.code === 'INTERNAL')).toEqual([]);
    await until(() => avatar.report().commands.some(({ line }) => line === 'LAST|1'));
    expect(avatar.report()).toMatchObject({ faults: [], alive: true });
    client.socket.close();
    await until(async () => (await rig.about()).streams === 0);
  });

  it('that is no HTTP is answered in one line and forgotten', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const wholly = [
      '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
      'GET / HTTP/9.9\r\n\r\n',
      'GET\r\n\r\n',
      'POST /api/agents/default/commands HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n',
      'GET /api HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
      'GET /api HTTP/1.1\r\nConnection: close\r\n\r\n',
      `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      'GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\r\n',
      'GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n',
    ];
    for (const text of wholly) {
      const answer = await sayRaw(rig.port, text, 500);
      expect([text.slice(0, 40), /^HTTP\/1\.1 (4\d\d) /.test(answer)]).toEqual([text.slice(0, 40), true]);
    }
    expect(rig.bridge.agents().map(({ name, state }) => [name, state])).toEqual([['default', 'ready']]);
    expect(avatar.report().alive).toBe(true);
  });
});

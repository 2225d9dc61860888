import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import type { BridgeOptions } from '../../src/bridge.js';
import { selfSigned } from '../support/certificate.js';
import { inProcess } from '../support/command.js';
import { describeWith } from '../support/needs.js';
import { inProject } from '../support/paths.js';
import { until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';
import { freePort, startNats, type NatsServer } from './support/nats-server.js';
import { NodeRigs, sees, shows } from './support/node-rig.js';

let closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  closing = [];
});

async function server(config: (folder: string) => string): Promise<{ nats: NatsServer; nodes: NodeRigs }> {
  const nats = await startNats(config);
  const nodes = new NodeRigs(nats);
  closing.push(
    () => nats.close(),
    () => nodes.close(),
  );
  return { nats, nodes };
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'nodes-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** That two nodes with these options find each other, and one speaks on the other. */
async function join2(nodes: NodeRigs, options: BridgeOptions): Promise<void> {
  const [kyoto, hub] = await Promise.all([nodes.start('kyoto', options), nodes.start('hub', options)]);
  await kyoto.avatar({ name: 'mei' });
  await shows(hub, 'mei');
  const spoken = await hub.ask('POST', '/api/agents/mei/speeches?wait=finished', {
    body: wavOf(noise(1600, 9000)),
  });
  expect(spoken.json).toMatchObject({ agent: 'mei', end: { how: 'completed' } });
}

const page = readFileSync(inProject('src/cluster/README.md'), 'utf8');
/** The server's configuration as the page about nodes shows it. */
const PAGE_PERMISSIONS = /```\n(authorization \{[^]*?)```/.exec(page)![1]!;

await describeWith(['nats-server', 'openssl'], 'the connection to NATS', () => {
  it('logs in with user and password, by options or in the URL, with a token and with an nkey', async () => {
    const path = await folder();
    const user = nkeys.createUser();
    writeFileSync(join(path, 'seed.nk'), `${Buffer.from(user.getSeed()).toString()}\n`);
    const { nodes, nats } = await server(
      () => `authorization { users: [ { user: u, password: "p w" }, { nkey: ${user.getPublicKey()} } ] }`,
    );
    await join2(nodes, { natsUser: 'u', natsPassword: 'p w' });
    await nodes.close();
    await join2(nodes, { nats: [`nats://u:p%20w@127.0.0.1:${nats.port}`] });
    await nodes.close();
    await join2(nodes, { natsNkey: join(path, 'seed.nk') });
    await nodes.close();
    const other = await server(() => 'authorization { token: "s3cret" }');
    await join2(other.nodes, { natsToken: 's3cret' });
  });

  it('logs in with a credentials file', async () => {
    const path = await folder();
    const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
    const none = { subs: -1, data: -1, payload: -1 };
    const limits = { ...none, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
    const operatorJwt = jwt(operator, operator, { type: 'operator' });
    const accountJwt = jwt(operator, account, { type: 'account', limits });
    const userJwt = jwt(account, user, { type: 'user', pub: {}, sub: {}, ...none });
    const creds = join(path, 'site.creds');
    writeFileSync(
      creds,
      `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n` +
        `-----BEGIN USER NKEY SEED-----\n${Buffer.from(user.getSeed()).toString()}\n------END USER NKEY SEED------\n`,
    );
    const { nodes } = await server((at) => {
      writeFileSync(join(at, 'operator.jwt'), operatorJwt);
      return (
        `operator: ${join(at, 'operator.jwt')}\nresolver: MEMORY\n` +
        `resolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`
      );
    });
    await join2(nodes, { natsCreds: creds });
  });

  it('speaks TLS, also as a WebSocket, with a server whose certificate it was given, and with no other', async () => {
    const path = await folder();
    const { cert, key } = selfSigned(path, ['IP:127.0.0.1', 'DNS:localhost']);
    const webSocketPort = await freePort();
    const tls = `tls { cert_file: "${cert}", key_file: "${key}" }`;
    const { nodes, nats } = await server(
      () => `${tls}\nwebsocket { host: 127.0.0.1, port: ${webSocketPort}, ${tls} }`,
    );
    await join2(nodes, { nats: [`tls://127.0.0.1:${nats.port}`], natsCa: cert });
    const wary = await nodes.start('wary', { nats: [`tls://127.0.0.1:${nats.port}`] });
    const [self] = (await wary.ask('GET', '/api/nodes')).json['nodes'] as unknown as { reachable: boolean }[];
    expect(self).toMatchObject({ name: 'wary', reachable: false });
    await until(async () => {
      const { json } = await wary.ask('GET', '/api/nodes');
      return /certificate/.test(JSON.stringify(json['nodes']));
    });
    await nodes.close();
    await join2(nodes, { nats: [`wss://127.0.0.1:${webSocketPort}`], natsCa: cert });
  });

  it('needs no more permissions than the page lists, and a site without one is told so at once', async () => {
    const { nodes } = await server(() => PAGE_PERMISSIONS);
    const start = (name: string) => nodes.start(name, { natsUser: name, natsPassword: `${name}-secret` });
    const [hub, kyoto, osaka] = await Promise.all([start('hub'), start('kyoto'), start('osaka')]);
    await kyoto.avatar({ name: 'mei' });
    await osaka.avatar({ name: 'taro' });
    await shows(hub, 'mei');
    await shows(hub, 'taro');
    const body = wavOf(noise(1600, 9000));
    const spoken = await hub.ask('POST', '/api/agents/mei/speeches?wait=finished', { body });
    expect(spoken.json).toMatchObject({ agent: 'mei', end: { how: 'completed' } });
    await sees(kyoto, ['osaka']);
    const startedMs = performance.now();
    const refused = await kyoto.ask('POST', '/api/agents/taro%40osaka/speeches', { body });
    expect(refused.json).toMatchObject({ code: 'NODE_UNREACHABLE' });
    expect(refused.json['detail']).toContain('does not allow this node to send to node osaka');
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });

  it('is described by a page whose flags all exist', async () => {
    const { out } = await inProcess(['serve', '--help']);
    for (const [flag] of page.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)) {
      if (flag !== '--agent') expect(out).toContain(flag);
    }
  });

  it('keeps installations with different prefixes apart', async () => {
    const { nodes } = await server(() => '');
    const [kyoto, hub, other] = await Promise.all([
      nodes.start('kyoto', { natsPrefix: 'expo.north' }),
      nodes.start('hub', { natsPrefix: 'expo.north' }),
      nodes.start('kyoto', { natsPrefix: 'expo.south' }),
    ]);
    await other.avatar({ name: 'taro' });
    await kyoto.avatar({ name: 'mei' });
    await shows(hub, 'mei');
    const listed = (await hub.ask('GET', '/api/agents')).json['agents'] as unknown as { name: string }[];
    expect(listed.map(({ name }) => name)).toEqual(['mei']);
    expect((await other.ask('GET', '/api/nodes')).json['nodes']).toHaveLength(1);
  });

  it('is refused with a reason when its options make no sense, and its secrets are not shown', async () => {
    const { exit, err } = await inProcess(['serve', '--port', '0', '--nats', 'http://hub:4222']);
    expect(exit).not.toBe(0);
    expect(err).toContain('nats takes URLs such as nats://');
    const missing = await inProcess([
      ...['serve', '--port', '0', '--nats', 'nats://127.0.0.1:1', '--nats-creds', '/none/site.creds'],
    ]);
    expect(missing.err).toContain('/none/site.creds');
    const wrong = await inProcess(['serve', '--nats', 'nats://127.0.0.1:1', '--nats-allow', 'speak,shout']);
    expect(wrong.err).toContain('nats-allow');
  });
});

/** A token as the server takes it: EdDSA over the first two parts. */
function jwt(issuer: nkeys.KeyPair, subject: nkeys.KeyPair, nats: object): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = encode({ typ: 'JWT', alg: 'ed25519-nkey' });
  const claims = encode({
    jti: subject.getPublicKey(),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name: 'test',
    nats: { version: 2, ...nats },
  });
  const signature = issuer.sign(Buffer.from(`${head}.${claims}`));
  return `${head}.${claims}.${Buffer.from(signature).toString('base64url')}`;
}

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { connect } from 'node:tls';
import { afterAll, afterEach, expect, it } from 'vitest';
import { type Bridge, type BridgeOptions, createBridge } from '../../src/bridge.js';
import { attachService } from '../../src/service/service.js';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { selfSigned } from '../support/certificate.js';
import { type InProcess, inProcess } from '../support/command.js';
import { describeWith } from '../support/needs.js';
import { until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

const TOKEN = 'a-token-of-32-letters-and-digits';

await describeWith(['openssl'], 'commands and a service that speaks TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tls-'));
  const { cert, key } = selfSigned(folder, ['IP:127.0.0.1', 'DNS:localhost']);
  const other = selfSigned(folder, ['DNS:avatar.example'], 'other');
  const short = join(folder, 'short.wav');
  writeFileSync(short, wavOf(noise(4000, 9000)));
  afterAll(() => rmSync(folder, { recursive: true }));

  let bridge: Bridge;
  let avatar: SimulatedAvatar | undefined;
  let wrapper: Server | undefined;
  afterEach(async () => {
    await bridge.close();
    avatar?.leave();
    wrapper?.close();
    avatar = wrapper = undefined;
  });

  async function serve(options: BridgeOptions): Promise<void> {
    bridge = await createBridge({ port: 0, firstSoundMs: 0, ...options });
    await attachService(bridge);
  }
  const run = (args: string[], env: Record<string, string> = {}, input = ''): Promise<InProcess> =>
    inProcess([...args, '--port', String(bridge.address.port)], {
      env,
      stdin: Readable.from([Buffer.from(input)]),
    });

  it('find each other by the service’s own certificate, for everything that a command does', async () => {
    await serve({ tlsCert: cert, tlsKey: key, token: TOKEN });
    // What the avatar says in the clear goes on in TLS, as it does itself on port 443.
    wrapper = createServer((plain) => {
      const secure = connect({ port: bridge.address.port, host: '127.0.0.1', ca: readFileSync(cert) });
      plain.on('error', () => secure.destroy()).pipe(secure);
      secure.on('error', () => plain.destroy()).pipe(plain);
    });
    wrapper.listen(0, '127.0.0.1');
    await once(wrapper, 'listening');
    const { port } = wrapper.address() as AddressInfo;
    avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat`, audioOpenMs: 0, readyAfterMs: 50 });
    await avatar.connect();
    await until(() => bridge.agent().state === 'ready');
    const env = { MMDAGENT_BRIDGE_TLS_CA: cert, MMDAGENT_BRIDGE_TOKEN: TOKEN };
    const cases: [string[], RegExp, string?][] = [
      [['agents'], /default\s+ready/],
      [['speak', short], /short\.wav: .*heard 0\.25 s of 0\.25 s/],
      [['send', 'A|1'], /A\|1/],
      [['send', '-'], /B\|2/, 'B|2\n'],
      [['say', 'Hello.', '--timeout-ms', '20000'], /heard/],
      [['queue'], /nothing to speak/],
      [['doctor'], new RegExp(`service\\s+127\\.0\\.0\\.1:${bridge.address.port}, version`)],
    ];
    for (const [args, text, input] of cases) {
      const { exit, out, err } = await run(args, env, input);
      expect([args, exit, err]).toEqual([args, 0, expect.anything()]);
      expect(out + err).toMatch(text);
    }
    expect(avatar.report().samplesReceived).toBeGreaterThan(4000);
    const flag = await run(['agents', '--tls-ca', cert, '--host', 'localhost', '--token', TOKEN]);
    expect(flag.exit).toBe(0);
  });

  it('say what is wrong with a certificate, and go no further', async () => {
    await serve({ tlsCert: cert, tlsKey: key });
    const cases: [string[], number, string, RegExp][] = [
      [['--tls'], 1, 'TLS_UNTRUSTED', /is not one that is trusted: self-signed certificate\./],
      [['--tls-ca', other.cert], 1, 'TLS_UNTRUSTED', /is not one that is trusted/],
      [['--tls-ca', key], 2, 'TLS_INVALID', /key\.pem holds no certificate/],
      [['--tls-ca', join(folder, 'none.pem')], 3, 'FILE_NOT_FOUND', /There is no file .*none\.pem/],
      [[], 2, 'TLS_MISMATCH', /speaks TLS, and the command does not\.\n {2}Give --tls-ca/],
    ];
    for (const [args, status, code, text] of cases) {
      const { exit, out, err } = await run(['agents', ...args]);
      expect([args, exit, out]).toEqual([args, status, '']);
      expect(err).toMatch(text);
      expect(err).toContain(`[${code}]`);
    }
  });

  it('say for which names a certificate is', async () => {
    await serve({ tlsCert: other.cert, tlsKey: other.key });
    const { exit, err } = await run(['agents', '--tls-ca', other.cert]);
    expect([exit, err]).toEqual([1, expect.stringMatching(/for other names: DNS:avatar\.example\./)]);
  });

  it('say when the service speaks no TLS', async () => {
    await serve({});
    const { exit, err } = await run(['agents', '--tls']);
    expect([exit, err]).toEqual([
      2,
      expect.stringMatching(/does not speak TLS, and the command does\.\n {2}Leave out --tls/),
    ]);
  });
});

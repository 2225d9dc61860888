import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { PACKAGE_NAME } from '../../src/base/version.js';
import { inProcess } from '../support/command.js';
import { fakePath } from '../support/fake-programs.js';
import { inProject } from '../support/paths.js';
import { isAlive } from '../support/processes.js';
import { startService, until } from '../support/service-rig.js';

/** Everything that talks to the service, as it is called. */
const CALLS = [
  ['agents'],
  ['queue'],
  ['stop'],
  ['stop', 's1'],
  ['pause'],
  ['resume'],
  ['restart'],
  ['send', 'A|1'],
  ['send', '-'],
  ['watch'],
  ['voices'],
  ['say', 'Hello.'],
  ['speak', inProject('samples/hello.wav')],
].map((args) => [args.join(' '), args] as const);

/** Says that it is the service, and nothing after that. */
let deaf: HttpServer;
let deafPort: string;
let asked = 0;

beforeAll(async () => {
  deaf = createServer((request, response) => {
    if (request.url === '/api') return void response.end(JSON.stringify({ service: PACKAGE_NAME }));
    asked += 1;
    request.resume();
  });
  deafPort = await listening(deaf);
});
afterAll(() => {
  deaf.close();
  deaf.closeAllConnections();
});

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return String((server.address() as AddressInfo).port);
}

describe.each(CALLS)('%s', (call, args) => {
  it('says that no service runs, and how to start one', async () => {
    const { exit, out, err } = await inProcess([...args, '--port', '1'], { stdin: new PassThrough() });
    expect([exit, out]).toEqual([3, '']);
    expect(err).toContain('No service answers at 127.0.0.1:1 ');
    expect(err).toContain("'mmdagent-bridge serve'. [SERVICE_NOT_RUNNING]");
  });

  it('waits for a service that does not answer no longer than --timeout-ms', async () => {
    const stdin = new PassThrough();
    const { exit, err } = await inProcess([...args, '--port', deafPort, '--timeout-ms', '150'], { stdin });
    expect(exit).toBe(4);
    expect(err).toContain(`${args[0]!} took longer than 150 ms.`);
    expect(err).toContain('[TIMEOUT]');
  });

  it('leaves a service that does not answer at Ctrl-C', async () => {
    const before = asked;
    const stdin = new PassThrough();
    stdin.write('A|1\n');
    let press: (() => void) | undefined;
    const running = inProcess([...args, '--port', deafPort], { stdin, ctrlC: (given) => (press = given) });
    await until(() => asked > before);
    press!();
    expect([call, (await running).exit]).toEqual([call, 130]);
  });
});

describe('--timeout-ms', () => {
  const silent = createTcpServer((socket) => sockets.push(socket));
  const sockets: Socket[] = [];
  let port: string;
  beforeAll(async () => void (port = await listening(silent)));
  afterAll(() => {
    silent.close();
    sockets.forEach((socket) => socket.destroy());
  });

  it.each(['agents', 'watch', 'simulator', 'mic', 'doctor'])(
    'bounds how long %s waits to be let in',
    async (name) => {
      const { exit, err } = await inProcess([name, '--port', port, '--timeout-ms', '150']);
      expect(exit).toBe(4);
      expect(err).toContain(`${name} took longer than 150 ms.`);
    },
  );

  it.each(['devices', 'doctor'])('bounds how long %s waits for a sound server that hangs', async (name) => {
    onTestFinished(fakePath({ parec: 'exit 1', pactl: 'exec /bin/sleep 60' }));
    const { exit, out, err } = await inProcess([name, '--timeout-ms', '150']);
    expect([exit, out]).toEqual([4, '']);
    expect(err).toContain(`${name} took longer than 150 ms.`);
  });

  it('bounds how long mic speaks, and ends its recorder', async () => {
    const rig = await startService();
    onTestFinished(() => rig.close());
    const avatar = await rig.avatar();
    const folder = mkdtempSync(join(tmpdir(), 'waits-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const pidFile = join(folder, 'pid');
    // A shell is there at once, however busy the machine.
    const records = 'while :; do /usr/bin/head -c 1920 /dev/zero; /bin/sleep 0.02; done';
    onTestFinished(fakePath({ parec: `echo $$ > '${pidFile}'; ${records}` }));
    const args = ['mic', '--recorder', 'parec', '--port', String(rig.port), '--timeout-ms', '2500'];
    const { exit, err } = await inProcess(args);
    expect(exit).toBe(4);
    expect(err).toContain('mic took longer than 2500 ms.');
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await until(() => !isAlive(pid));
    await until(() => rig.bridge.agent().speeches.length === 0);
    expect(avatar.report().samplesHeard).toBeGreaterThan(0);
  });

  it('comes from the environment too', async () => {
    const env = { MMDAGENT_BRIDGE_PORT: port, MMDAGENT_BRIDGE_TIMEOUT_MS: '150' };
    expect((await inProcess(['queue'], { env })).exit).toBe(4);
  });
});

import { once } from 'node:events';
import { connect } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { faultsOf, heardLast } from '../keeper/support/heard.js';
import { selfSigned } from '../support/certificate.js';
import { command, type CommandRun, inProcess, killCommands } from '../support/command.js';
import { isAlive } from '../support/processes.js';
import { until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let folder: string;
const avatars: SimulatedAvatar[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serve-keeper-'));
});
afterEach(async () => {
  for (const avatar of avatars.splice(0)) avatar.leave();
  await killCommands();
  await rm(folder, { recursive: true });
});

interface Served {
  readonly run: CommandRun;
  readonly port: string;
  readonly avatar: SimulatedAvatar;
  /** The process id of whoever answers, which is a worker's. */
  worker(): Promise<number>;
}

async function serveWithAvatar(args: string[] = []): Promise<Served> {
  const run = command(['serve', '--port', '0', '--no-standby', ...args]);
  await run.says('listening on');
  const port = String(run.json()[0]!['port']);
  const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat`, audioOpenMs: 0 });
  avatars.push(avatar);
  await avatar.connect();
  await run.says('ready after');
  const worker = async (): Promise<number> => {
    // On a connection of its own: one that is kept leads to the process that it was made to.
    const answer = await fetch(`http://127.0.0.1:${port}/api`, { headers: { connection: 'close' } });
    return ((await answer.json()) as { pid: number }).pid;
  };
  return { run, port, avatar, worker };
}

interface Told {
  readonly state: string;
  readonly handover: boolean;
  readonly speaking: boolean;
  readonly paused: boolean;
  readonly gainDb: number;
  readonly speeches: readonly { id: string; state: string; label: string }[];
}

/** What the service tells of the avatar. */
async function toldOf(port: string): Promise<Told> {
  return (await fetch(`http://127.0.0.1:${port}/api/agents/default`)).json() as Promise<Told>;
}

async function setVolume(port: string, gainDb: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/agents/default/gain`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ gainDb }),
  });
  expect(answer.status).toBe(200);
}

async function soundFile(samples: Int16Array): Promise<string> {
  const path = join(folder, `${samples.length}.wav`);
  await writeFile(path, wavOf(samples));
  return path;
}

const whole = noise(12_000, 9000, 5);

/** Has one more sound spoken, and makes sure that all of it is heard and nothing was ever broken. */
async function expectWhole(port: string, avatar: SimulatedAvatar): Promise<void> {
  const spoken = await inProcess(['speak', '--port', port, await soundFile(whole)]);
  expect([spoken.exit, spoken.err]).toEqual([0, '']);
  await until(() => heardLast(avatar, whole));
  expect(faultsOf(avatar)).toEqual([]);
  expect(avatar.report()).toMatchObject({ alive: true, attempts: 1 });
}

describe('serve with its keeper', () => {
  it('keeps the avatar when the worker is killed in mid-speech, says why, and speaks on', async () => {
    const { run, port, avatar, worker } = await serveWithAvatar();
    const pid = await worker();
    expect(pid).not.toBe(run.child.pid);
    const speaking = command(['speak', '--port', port, await soundFile(noise(48_000, 9000, 1))]);
    await speaking.says('speaking');
    process.kill(pid, 'SIGKILL');
    expect(await speaking.exit).toBe(3);
    expect(speaking.err).toContain('[SERVICE_LOST]');
    await until(() => worker().then((now) => now !== pid));
    await run.says(/ended by SIGKILL\. Another one is started at once; 1 avatar is held/);
    await expectWhole(port, avatar);

    await setVolume(port, -6);
    expect((await inProcess(['pause', '--port', port])).exit).toBe(0);
    const second = await worker();
    process.kill(second, 'SIGKILL');
    // What reached the killed one is asked for again.
    await until(() =>
      worker().then(
        (now) => now !== second,
        () => false,
      ),
    );
    await until(() => toldOf(port).then(({ state }) => state === 'ready'));
    expect(await toldOf(port)).toMatchObject({ gainDb: -6, paused: true });
    run.child.kill('SIGTERM');
    expect(await run.exit).toBe(0);
  });

  it('restarts on purpose with new options while a speech goes on, of which no sample is lost', async () => {
    const config = join(folder, 'bridge.yaml');
    await writeFile(config, 'leadMs: 100\n');
    const { run, port, avatar, worker } = await serveWithAvatar(['--config', config]);
    const pid = await worker();
    const watching = command(['watch', '--port', port]);
    await watching.says('Following');
    const sound = noise(64_000, 9000, 2);
    const speaking = command(['speak', '--port', port, await soundFile(sound)]);
    await speaking.says('speaking');

    await writeFile(config, 'leadMs: 300\n');
    const restarted = await inProcess(['restart', '--port', port]);
    expect(restarted.out).toMatch(/^A new process has taken over after \d+ ms, version \d/);
    expect(await worker()).not.toBe(pid);
    // Asked of the new process, heard after what the old one still speaks.
    const next = inProcess(['speak', '--port', port, await soundFile(whole)]);
    expect(await speaking.exit).toBe(0);
    expect((await next).exit).toBe(0);

    await until(() => heardLast(avatar, whole));
    const report = avatar.report();
    expect(faultsOf(avatar)).toEqual([]);
    expect(report).toMatchObject({ alive: true, attempts: 1 });
    expect(report.segments.map(({ receivedSamples, closed }) => [receivedSamples, closed])).toEqual([
      [64_000, true],
      [12_032, true],
    ]);
    expect(Buffer.from(avatar.heard().slice(0, 64_000).buffer).equals(Buffer.from(sound.buffer))).toBe(true);
    const agents = await fetch(`http://127.0.0.1:${port}/api/agents`);
    const { agents: list } = (await agents.json()) as { agents: { leadMs: number }[] };
    expect(list.map(({ leadMs }) => leadMs)).toEqual([300]);
    // Who follows has seen both ends, each once, without asking for anything.
    await watching.says('12000.wav: finished');
    expect(watching.out.match(/64000\.wav: finished/g)).toHaveLength(1);
    expect(watching.out).toContain('the service goes on in a new process');
    expect(watching.out).not.toContain('missed');
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(0);
    expect(await watching.exit).toBe(0);
  });

  it('restarts at SIGHUP, and ends what an old process still speaks when it is told to', async () => {
    const { run, port, avatar, worker } = await serveWithAvatar();
    const pid = await worker();
    const speaking = command(['speak', '--port', port, await soundFile(noise(960_000, 9000, 3))]);
    await speaking.says('speaking');
    run.child.kill('SIGHUP');
    await until(() => worker().then((now) => now !== pid));
    const stopped = await inProcess(['stop', '--port', port]);
    expect(stopped.exit).toBe(0);
    expect(await speaking.exit).toBe(1);
    expect(speaking.out).toContain('stopped: heard');
    await expectWhole(port, avatar);
  });

  it('answers RESTARTING for an agent that the old process still speaks with, and interrupts it there', async () => {
    const { run, port, avatar, worker } = await serveWithAvatar();
    const api = `http://127.0.0.1:${port}/api/agents/default`;
    const pid = await worker();
    await setVolume(port, -6);
    const speaking = command(['speak', '--port', port, await soundFile(noise(960_000, 9000, 3))]);
    await speaking.says('speaking');
    const waiting = command(['speak', '--port', port, await soundFile(noise(32_000, 9000, 4))]);
    const told = (): Promise<Told> => toldOf(port);
    await until(() => told().then(({ speeches }) => speeches.length === 2));
    expect(await told()).toMatchObject({ state: 'ready', handover: false });
    const [first] = (await told()).speeches;
    run.child.kill('SIGHUP');
    await until(() => worker().then((now) => now !== pid));

    expect(await told()).toMatchObject({ state: 'connected', handover: true, speeches: [] });
    const agents = await inProcess(['agents', '--port', port]);
    expect(agents.out).toContain('on its way');
    const post = (path: string, body?: unknown): Promise<Response> =>
      fetch(`${api}/${path}`, {
        method: path === 'gain' ? 'PUT' : path.startsWith('speeches') ? 'DELETE' : 'POST',
        ...(body !== undefined && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      });
    for (const [path, body] of [
      ['pause'],
      ['resume'],
      ['gain', { gainDb: 0 }],
      [`speeches/${first!.id}`],
      ['commands', { commands: ['TEST_NOW|1'] }],
    ] as const) {
      const answer = await post(path, body);
      expect([path, answer.status, await answer.json()]).toMatchObject([
        path,
        503,
        { code: 'RESTARTING', retryable: true },
      ]);
    }
    const cut = (await (await post('interrupt')).json()) as { heardMs: number; dropped: number };
    expect(cut.heardMs).toBeGreaterThan(100);
    expect(cut.dropped).toBe(1);
    expect([await speaking.exit, await waiting.exit]).toEqual([1, 1]);
    // The volume goes over with the avatar.
    await until(() => told().then(({ state, handover }) => state === 'ready' && !handover));
    expect(await told()).toMatchObject({ gainDb: -6 });
    await setVolume(port, 0);
    await expectWhole(port, avatar);
  });

  it('cuts a stream at once when its worker is killed, and tells it nothing in HTTP', async () => {
    const { run, port, avatar, worker } = await serveWithAvatar();
    const pid = await worker();
    const client = connect(Number(port), '127.0.0.1');
    let came = '';
    const closed = once(client, 'close');
    client.on('error', () => undefined).on('data', (data: Buffer) => (came += data.toString('latin1')));
    client.write(
      'GET /api/agents/default/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    await until(() => came.includes('101 Switching'));
    came = '';
    process.kill(pid, 'SIGKILL');
    await closed;
    expect(came).not.toContain('HTTP/');
    // It was cut by the end of its process, before there is another one.
    expect(run.out).not.toMatch(/gone[^]*the avatar came/);
    expect(avatar.report().alive).toBe(true);
  });

  it('goes on without its keeper for as long as there is an avatar', async () => {
    const { run, port, avatar, worker } = await serveWithAvatar();
    const pid = await worker();
    run.child.kill('SIGKILL');
    await run.says(`this process (${pid}) goes on alone`);
    await expectWhole(port, avatar);
    expect(await worker()).toBe(pid);
    avatar.leave();
    await until(() => !isAlive(pid));
  });

  it('says that it cannot hold avatars that speak TLS, and ends as it is told to', async () => {
    const { cert, key } = selfSigned(folder, ['IP:127.0.0.1']);
    const config = join(folder, 'bridge.yaml');
    await writeFile(config, `tlsCert: ${cert}\ntlsKey: ${key}\n`);
    const run = command(['serve', '--port', '0', '--config', config]);
    await run.says('it runs without a keeper: a TLS session lives in one process');
    run.child.kill('SIGHUP');
    await run.says('is not restarted');
    run.child.kill('SIGTERM');
    expect(await run.exit).toBe(0);
  });

  it('has nothing to restart in one process', async () => {
    const { run, port } = await serveWithAvatar(['--no-keeper']);
    const { exit, err } = await inProcess(['restart', '--port', port]);
    expect(exit).toBe(3);
    expect(err).toContain('[KEEPER_NONE]');
    run.child.kill('SIGTERM');
    expect(await run.exit).toBe(0);
  });
});

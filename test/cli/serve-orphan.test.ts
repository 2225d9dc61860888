import { afterEach, describe, expect, it } from 'vitest';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { faultsOf, heardLast } from '../keeper/support/heard.js';
import { command, type CommandRun, inProcess, killCommands } from '../support/command.js';
import { isAlive } from '../support/processes.js';
import { until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

const avatars: SimulatedAvatar[] = [];
afterEach(async () => {
  for (const avatar of avatars.splice(0)) avatar.leave();
  await killCommands();
});

interface Served {
  readonly run: CommandRun;
  readonly port: string;
  /** The process that answers; 0 while none does. */
  worker(): Promise<number>;
  join(name: string): Promise<SimulatedAvatar>;
  /** Speaks to its end in the background. */
  speak(name: string, seconds: number, seed: number): { ended: Promise<number>; samples: Int16Array };
}

async function serve(...args: string[]): Promise<Served> {
  const run = command(['serve', '--port', '0', '--no-standby', ...args]);
  await run.says('listening on');
  const port = String(run.json()[0]!['port']);
  const url = `http://127.0.0.1:${port}/api`;
  return {
    run,
    port,
    worker: async () => {
      const answer = await fetch(url, { headers: { connection: 'close' } }).catch(() => undefined);
      return answer?.ok === true ? ((await answer.json()) as { pid: number }).pid : 0;
    },
    join: async (name) => {
      const avatar = new SimulatedAvatar({
        url: `ws://127.0.0.1:${port}/chat/${name}`,
        audioOpenMs: 0,
        retryCount: 100,
      });
      avatars.push(avatar);
      await avatar.connect();
      await run.says(`"agent":"${name}","model":"0"`);
      return avatar;
    },
    speak: (name, seconds, seed) => {
      const samples = noise(seconds * 16_000, 9000, seed);
      const ended = fetch(`${url}/agents/${name}/speeches?wait=finished`, {
        method: 'POST',
        headers: { 'content-type': 'audio/wav', connection: 'close' },
        body: wavOf(samples),
      }).then((answer) => answer.status);
      return { ended, samples };
    },
  };
}

/** Kills the keeper, and nothing else. */
function killKeeper({ child }: CommandRun): void {
  child.kill('SIGKILL');
}

async function speaking(port: string, name: string): Promise<void> {
  await until(async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/agents/${name}`, {
      headers: { connection: 'close' },
    });
    return ((await answer.json()) as { speaking?: boolean }).speaking === true;
  });
}

describe('a keeper that is killed', () => {
  it('while a new worker starts leaves the old one with the port and its avatar', async () => {
    const served = await serve();
    const avatar = await served.join('mei');
    const before = await served.worker();
    served.run.child.kill('SIGHUP');
    await served.run.says('Restarting: a new worker starts');
    killKeeper(served.run);
    await served.run.says('goes on alone');
    await until(() => served.worker().then((pid) => pid === before));
    const restarted = await inProcess(['restart', '--port', served.port]);
    expect(restarted.exit).toBe(3);
    expect(restarted.err).toMatch(/keeper of this service is gone[^]*SIGTERM[^]*\[KEEPER_GONE\]/);
    const { ended, samples } = served.speak('mei', 1, 1);
    expect(await ended).toBe(200);
    await until(() => heardLast(avatar, samples));
    expect([avatar.report().alive, faultsOf(avatar)]).toEqual([true, []]);
  });

  it('while the old worker still speaks has it take the port back, finish the speech and speak again', async () => {
    const served = await serve();
    const avatar = await served.join('mei');
    const before = await served.worker();
    const first = served.speak('mei', 6, 2);
    await speaking(served.port, 'mei');
    served.run.child.kill('SIGHUP');
    let next = 0;
    await until(async () => (next = await served.worker()) !== 0 && next !== before);
    killKeeper(served.run);
    await until(() => served.worker().then((pid) => pid === before));
    // It had no avatar.
    await until(() => !isAlive(next));
    expect(await first.ended).toBe(200);
    await until(() => heardLast(avatar, first.samples));
    const second = served.speak('mei', 1, 3);
    expect(await second.ended).toBe(200);
    await until(() => heardLast(avatar, second.samples));
    expect([avatar.report().alive, faultsOf(avatar)]).toEqual([true, []]);
    // Who comes later is served, and counts: the process ends when nobody is left.
    const later = await served.join('taro');
    avatar.leave();
    await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${served.port}/api/agents/mei`);
      return answer.status === 404 || ((await answer.json()) as { state: string }).state === 'absent';
    });
    expect([later.report().alive, isAlive(before)]).toEqual([true, true]);
    later.leave();
    await until(() => !isAlive(before));
  });

  it('when each worker has avatars keeps all of them, and the old one has the port when the new one is done', async () => {
    const served = await serve();
    const [mei, taro] = [await served.join('mei'), await served.join('taro')];
    const before = await served.worker();
    const first = served.speak('mei', 6, 4);
    await speaking(served.port, 'mei');
    served.run.child.kill('SIGHUP');
    let next = 0;
    await until(async () => (next = await served.worker()) !== 0 && next !== before);
    // The one that has nothing to say has gone over.
    await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${served.port}/api/agents/taro`, {
        headers: { connection: 'close' },
      });
      return ((await answer.json()) as { state: string; handover: boolean }).state === 'ready';
    });
    killKeeper(served.run);
    await until(() => served.worker().then((pid) => pid === next));
    const second = served.speak('taro', 1, 5);
    expect(await second.ended).toBe(200);
    await until(() => heardLast(taro, second.samples));
    expect(await first.ended).toBe(200);
    await until(() => heardLast(mei, first.samples));
    taro.leave();
    await until(() => served.worker().then((pid) => pid === before));
    const third = served.speak('mei', 1, 6);
    expect(await third.ended).toBe(200);
    await until(() => heardLast(mei, third.samples));
    expect([mei.report().alive, faultsOf(mei), faultsOf(taro)]).toEqual([true, [], []]);
    mei.leave();
    await until(() => !isAlive(before) && !isAlive(next));
  });

  it('without any avatar ends its worker', async () => {
    const served = await serve();
    const pid = await served.worker();
    killKeeper(served.run);
    await until(() => !isAlive(pid));
    expect((await inProcess(['agents', '--port', served.port])).exit).toBe(3);
  });

  it('leaves avatars over plain TCP alive, and lets others come', async () => {
    const server = new SimulatedAvatar({ url: 'tcp://127.0.0.1:0', tcpServer: true, audioOpenMs: 0 });
    avatars.push(server);
    const tcpPort = await server.listen();
    const served = await serve('--tcp-connect', `127.0.0.1:${tcpPort}=hana`, '--tcp-listen', '0=taro');
    const [connects, listens] = served.run.json()[0]!['tcp'] as { port: number; mdf: string[] }[];
    expect(connects!.mdf).toEqual(['Plugin_Remote_EnableServer=true', `Plugin_Remote_ListenPort=${tcpPort}`]);
    expect(listens!.mdf).toEqual([
      'Plugin_Remote_EnableClient=true',
      'Plugin_Remote_Hostname=127.0.0.1',
      `Plugin_Remote_Port=${listens!.port}`,
      'Plugin_Remote_RetryCount=100000',
    ]);
    await served.run.says('"agent":"hana","model":"0"');
    killKeeper(served.run);
    await served.run.says('goes on alone');
    const client = new SimulatedAvatar({
      url: `tcp://127.0.0.1:${listens!.port}`,
      audioOpenMs: 0,
      retryCount: 100,
    });
    avatars.push(client);
    await client.connect();
    await served.run.says('"agent":"taro","model":"0"');
    await until(() => served.worker().then((pid) => pid !== 0));
    for (const [name, avatar] of [
      ['hana', server],
      ['taro', client],
    ] as const) {
      const { ended, samples } = served.speak(name, 1, 4);
      expect(await ended).toBe(200);
      await until(() => heardLast(avatar, samples));
      expect([avatar.report().alive, faultsOf(avatar)]).toEqual([true, []]);
    }
  });
});

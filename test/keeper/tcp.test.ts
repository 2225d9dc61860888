import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { until } from '../support/bridge-rig.js';
import { noise } from '../support/signals.js';
import { faultsOf, heardLast } from './support/heard.js';
import { ask, startKeeper, type KeeperRig } from './support/keeper-rig.js';

const WITHIN_MS = 45_000;
const NAMES = ['hana', 'taro'];

interface End {
  readonly how: string;
  readonly error?: string;
}

/** A keeper with two avatars over plain TCP: `hana` is a server, `taro` a client. */
async function withAvatars(
  env: NodeJS.ProcessEnv = {},
): Promise<{ rig: KeeperRig; avatars: SimulatedAvatar[]; hanaPort: number }> {
  const common = { readyAfterMs: 60, audioOpenMs: 0 };
  const hana = new SimulatedAvatar({ url: 'tcp://127.0.0.1:0', tcpServer: true, ...common });
  onTestFinished(() => hana.leave());
  const hanaPort = await hana.listen();
  const rig = await startKeeper('worker', {
    env: {
      KEEPER_TEST_TCP_CONNECT: `127.0.0.1:${hanaPort}=hana`,
      KEEPER_TEST_TCP_LISTEN: '0=taro',
      ...env,
    },
  });
  const [, listen] = (await ask<{ port: number }[]>(rig.port, '/tcp'))!;
  const taro = new SimulatedAvatar({ url: `tcp://127.0.0.1:${listen!.port}`, ...common });
  onTestFinished(() => taro.leave());
  await taro.connect();
  const avatars = [hana, taro];
  await allReady(rig.port);
  return { rig, avatars, hanaPort };
}

async function allReady(port: number): Promise<void> {
  const ready = async (): Promise<string[]> => ((await ask<string[]>(port, '/agents')) ?? []).sort();
  await until(async () => (await ready()).join() === NAMES.join(), 'both avatars', WITHIN_MS);
}

const speak = (port: number, name: string, samples: number, seed: number): Promise<End | undefined> =>
  ask<End>(port, `/speak?agent=${name}&samples=${samples}&seed=${seed}`);

async function hearsNext(rig: KeeperRig, avatars: SimulatedAvatar[], seed: number): Promise<void> {
  const ends = await Promise.all(NAMES.map((name) => speak(rig.port, name, 16_000, seed)));
  expect(ends.map((end) => end?.how)).toEqual(['completed', 'completed']);
  const sound = noise(16_000, 20_000, seed);
  for (const avatar of avatars) {
    await until(() => heardLast(avatar, sound), 'the whole speech', WITHIN_MS);
    expect(avatar.report()).toMatchObject({ alive: true, attempts: avatar === avatars[0] ? 0 : 1 });
    expect(avatar.report().ruleCounts['second-connection'] ?? 0).toBe(0);
  }
}

describe('avatars over plain TCP behind a keeper', () => {
  it('outlive their worker, which is killed in mid-speech, and hear the next speech whole', async () => {
    const { rig, avatars } = await withAvatars();
    for (let round = 1; round <= 3; round += 1) {
      for (const name of NAMES) void speak(rig.port, name, 64_000, round);
      await sleep(300 + round * 13);
      process.kill(rig.keeper.workers.find(({ state }) => state === 'active')!.pid!, 'SIGKILL');
      await allReady(rig.port);
      await hearsNext(rig, avatars, 10 + round);
    }
    // A segment whose last frame was in doubt may lack samples of a block; nothing else is wrong.
    for (const avatar of avatars)
      expect(faultsOf(avatar).filter((rule) => rule !== 'segment-not-padded')).toEqual([]);
  });

  it('go over to the next worker at a planned restart, each once it has nothing more to say', async () => {
    const { rig, avatars } = await withAvatars();
    const { pid } = rig.keeper.workers[0]!;
    const speeches = NAMES.map((name) => speak(rig.port, name, 48_000, 5));
    await sleep(300);
    rig.keeper.restart();
    expect((await Promise.all(speeches)).map((end) => end?.how)).toEqual(['completed', 'completed']);
    const isOver = (): boolean => rig.keeper.workers.length === 1 && rig.keeper.workers[0]!.pid !== pid;
    await until(isOver, 'the end of the old worker', WITHIN_MS);
    for (const avatar of avatars) expect(heardLast(avatar, noise(48_000, 20_000, 5))).toBe(true);
    await allReady(rig.port);
    await hearsNext(rig, avatars, 6);
    for (const avatar of avatars) expect(faultsOf(avatar)).toEqual([]);
  });

  it('are connected to again after they have gone', async () => {
    const { rig, avatars, hanaPort } = await withAvatars();
    avatars[0]!.leave();
    await until(() => rig.log.some((line) => line.includes('cannot be reached')), 'a line of it', WITHIN_MS);
    const again = new SimulatedAvatar({
      url: `tcp://127.0.0.1:${hanaPort}`,
      tcpServer: true,
      readyAfterMs: 60,
      audioOpenMs: 0,
    });
    onTestFinished(() => again.leave());
    await again.listen();
    await allReady(rig.port);
    await hearsNext(rig, [again, avatars[1]!], 7);
  });
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { until } from '../support/bridge-rig.js';
import { ask, startKeeper } from './support/keeper-rig.js';

const WITHIN_MS = 30_000;

const NAMES = ['hana', 'mei', 'taro'];

/** Three avatars of a port, each under its name. */
async function start(port: number): Promise<SimulatedAvatar[]> {
  const avatars = NAMES.map(
    (name) =>
      new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat/${name}`, audioOpenMs: 0, readyAfterMs: 20 }),
  );
  onTestFinished(() => avatars.forEach((avatar) => avatar.leave()));
  await Promise.all(avatars.map((avatar) => avatar.connect()));
  return avatars;
}

/** The agents of a port, once three are ready. */
async function agents(port: number): Promise<string[]> {
  let names: string[] = [];
  const three = async (): Promise<boolean> => {
    names = (await ask<string[]>(port, '/agents')) ?? [];
    return names.length === 3;
  };
  await until(three, 'three that are ready', WITHIN_MS);
  return names.sort();
}

describe('avatars that are started anew', () => {
  it('while there is no worker have the names that they had before', async () => {
    const { keeper, port } = await startKeeper('worker');
    const before = await start(port);
    await agents(port);
    process.kill(keeper.workers[0]!.pid!, 'SIGKILL');
    await until(() => keeper.workers[0]?.state !== 'active', 'the end of the worker', WITHIN_MS);
    for (const avatar of before) avatar.leave();
    await start(port);
    expect(await agents(port)).toEqual(NAMES);
  });

  it('after a planned restart have the names that they had before', async () => {
    const { keeper, port } = await startKeeper('worker');
    const before = await start(port);
    await agents(port);
    const { pid } = keeper.workers[0]!;
    keeper.restart();
    const isOver = (): boolean => keeper.workers.length === 1 && keeper.workers[0]!.pid !== pid;
    await until(isOver, 'the end of the old worker', WITHIN_MS);
    expect(await agents(port)).toEqual(NAMES);
    for (const avatar of before) avatar.leave();
    await until(async () => (await ask<string[]>(port, '/agents'))?.length === 0, 'their end', WITHIN_MS);
    await start(port);
    expect(await agents(port)).toEqual(NAMES);
  });
});

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Backoff } from '../../src/keeper/backoff.js';
import { SimulatedAvatar, type SimulatorOptions } from '../../src/simulator/index.js';
import { until } from '../support/bridge-rig.js';
import { clientFrame } from '../support/client-frames.js';
import { noise, randomNumbers } from '../support/signals.js';
import { faultsOf, heardLast } from './support/heard.js';
import { ask, startKeeper, type KeeperRig } from './support/keeper-rig.js';

/*
 * Each round kills the worker once, at a random moment, while connections are in every state there is. By default two
 * rounds run, 2 x 16 moments; KEEPER_TEST_KILLS=200 makes it two hundred, which takes a quarter of an hour.
 */
const ROUNDS = Number(process.env['KEEPER_TEST_KILLS'] ?? 2);
const SPEAKING = 8;
/** Of those: they do not read for a while around the kill, so that frames pile up. */
const FROZEN = 2;
const FLOODED = 2;
const CONNECTING = 4;
const HALF_HEARD = 2;

const MASK = Buffer.from([0x11, 0x82, 0x37, 0xf4]);
const PATIENCE_MS = 45_000;

interface End {
  readonly how: string;
  readonly error?: string;
  readonly gaps: number;
}

function avatarAt(port: number, name: string, options: Partial<SimulatorOptions> = {}): SimulatedAvatar {
  const avatar = new SimulatedAvatar({
    url: `ws://127.0.0.1:${port}/chat/${name}`,
    readyAfterMs: 60,
    audioOpenMs: 0,
    ...options,
  });
  onTestFinished(() => avatar.leave());
  return avatar;
}

const speak = (port: number, name: string, samples: number, seed: number): Promise<End | undefined> =>
  ask<End>(port, `/speak?agent=${name}&samples=${samples}&seed=${seed}`);

/** The sound of `speak`, as the worker makes it. */
const sound = (samples: number, seed: number): Int16Array => noise(samples, 20_000, seed);

/** Waits until a worker has all of these ready. */
async function allReady(port: number, names: readonly string[]): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  let missing: readonly string[] = names;
  while (missing.length > 0) {
    if (performance.now() > endMs) throw new Error(`never ready again: ${missing.join(', ')}`);
    const ready = (await ask<string[]>(port, '/agents')) ?? [];
    missing = names.filter((name) => !ready.includes(name));
    if (missing.length > 0) await sleep(20);
  }
}

async function activePid({ keeper }: KeeperRig): Promise<number> {
  const pid = (): number | undefined => keeper.workers.find(({ state }) => state === 'active')?.pid;
  await until(() => pid() !== undefined, 'an active worker', PATIENCE_MS);
  return pid()!;
}

/** A connection of an avatar, byte by byte; it never answers a probe, so that it is never ready. */
async function rawAvatar(port: number, name: string): Promise<{ socket: Socket; closed(): boolean }> {
  const socket = connect(port, '127.0.0.1');
  let closed = false;
  let text = '';
  socket.on('close', () => (closed = true));
  socket.on('error', () => undefined);
  socket.on('data', (data: Buffer) => (text += data.toString('latin1')));
  onTestFinished(() => void socket.destroy());
  socket.write(
    `GET /chat/${name} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  await until(() => text.includes('101 Switching'), 'the upgrade', PATIENCE_MS);
  return { socket, closed: () => closed };
}

/**
 * One kill, with connections in every state.
 * @param doubted of whom a frame was ever between being counted and having left: their segment may lack half a block
 */
async function round(
  rig: KeeperRig,
  avatars: Map<string, SimulatedAvatar>,
  doubted: Set<string>,
  number: number,
): Promise<void> {
  const { port } = rig;
  const random = randomNumbers(number);
  const raws = await Promise.all(
    Array.from({ length: HALF_HEARD }, (_, i) => rawAvatar(port, `raw-${number}-${i}`)),
  );
  const old = [...avatars.keys()];
  const pid = await activePid(rig);

  for (const name of old.slice(0, SPEAKING)) void speak(port, name, 32_000, 100 + number);
  await sleep(100 + random() * 400);
  for (const name of old.slice(SPEAKING, SPEAKING + FLOODED)) {
    void ask(port, `/flood?agent=${name}&count=1500`);
  }
  const torn = raws.map(({ socket }) => {
    const frame = clientFrame(1, Buffer.from(`TEST_TORN|${'x'.repeat(400)}\n`), MASK);
    const cut = 1 + Math.floor(random() * (frame.length - 1));
    socket.write(frame.subarray(0, cut));
    return frame.subarray(cut);
  });
  const coming = Array.from({ length: CONNECTING }, async (_, i) => {
    await sleep(random() * 40);
    const name = `new-${number}-${i}`;
    const avatar = avatarAt(port, name, { readyAfterMs: random() * 400, retryCount: 1000 });
    avatars.set(name, avatar);
    await avatar.connect();
  });
  const frozen = old.slice(0, FROZEN).map((name) => avatars.get(name)!);
  for (const avatar of frozen) {
    await sleep(random() * 30);
    avatar.stopReading();
  }
  await sleep(random() * 60);
  process.kill(pid, 'SIGKILL');
  await sleep(random() * 100);
  for (const avatar of frozen) avatar.resumeReading();

  await Promise.all(coming);
  await allReady(port, [...avatars.keys()]);
  expect(await activePid(rig)).not.toBe(pid);
  for (const name of (await ask<string[]>(port, '/doubts')) ?? []) doubted.add(name);
  raws.forEach(({ socket }, i) => {
    socket.write(torn[i]!);
    socket.write(clientFrame(1, Buffer.from(`TEST_WHOLE|${number}-${i}\n`), MASK));
    socket.write(clientFrame(1, Buffer.from(`TEST_NEXT|${number}-${i}\n`), MASK));
  });
  const ends = await Promise.all([...avatars.keys()].map((name) => speak(port, name, 3000, number)));
  expect(ends.map((end) => end?.how)).toEqual(ends.map(() => 'completed'));
  for (const [name, avatar] of avatars) {
    await until(
      () => heardLast(avatar, sound(3000, number)),
      `the whole next utterance at ${name}`,
      PATIENCE_MS,
    );
    const faults = faultsOf(avatar).filter((rule) => !(doubted.has(name) && rule === 'segment-not-padded'));
    expect([name, faults, avatar.report().alive]).toEqual([name, [], true]);
  }
  const heard = (await ask<string[]>(port, '/heard')) ?? [];
  raws.forEach((raw, i) => {
    expect(heard).toContain(`TEST_WHOLE|${number}-${i}`);
    expect(heard).toContain(`TEST_NEXT|${number}-${i}`);
    expect(raw.closed()).toBe(false);
    raw.socket.destroy();
  });
}

describe('avatars that die at any disconnect', () => {
  it(
    `live through ${ROUNDS} kills of the worker at random moments, and their next utterance is whole`,
    { timeout: 60_000 + ROUNDS * 30_000 },
    async () => {
      const rig = await startKeeper('worker', {
        reserveAfterMs: 0,
        backoff: new Backoff({ firstMs: 1, longestMs: 50 }),
        env: { KEEPER_TEST_STANDBY: '1' },
      });
      const avatars = new Map<string, SimulatedAvatar>();
      const doubted = new Set<string>();
      for (let i = 0; i < SPEAKING + FLOODED; i += 1) avatars.set(`a${i}`, avatarAt(rig.port, `a${i}`));
      await Promise.all([...avatars.values()].map((avatar) => avatar.connect()));
      await allReady(rig.port, [...avatars.keys()]);
      for (let number = 1; number <= ROUNDS; number += 1) {
        await round(rig, avatars, doubted, number);
        for (const [name, avatar] of avatars) {
          if (!name.startsWith('new')) continue;
          avatars.delete(name);
          avatar.leave();
        }
      }
      const report = [...avatars.values()].map((avatar) => avatar.report());
      expect(report.every(({ attempts }) => attempts === 1)).toBe(true);
    },
  );

  it('hear every sample of what is spoken through a planned restart, fifty at once', async () => {
    const rig = await startKeeper('worker');
    const names = Array.from({ length: 50 }, (_, i) => `a${i}`);
    const avatars = names.map((name) => avatarAt(rig.port, name));
    await Promise.all(avatars.map((avatar) => avatar.connect()));
    await allReady(rig.port, names);
    const pid = await activePid(rig);
    const ends = names.map((name, i) => speak(rig.port, name, 24_000, i));
    await sleep(300);
    await ask(rig.port, '/restart');
    await until(
      () => rig.keeper.workers.some(({ state }) => state === 'retiring'),
      'the new worker',
      PATIENCE_MS,
    );
    // Asked of the new process, spoken after what the old one still speaks.
    const next = names.map((name, i) => speak(rig.port, name, 3000, 100 + i));
    expect((await Promise.all(ends)).map((end) => end?.how)).toEqual(names.map(() => 'completed'));
    expect((await Promise.all(next)).map((end) => end?.how)).toEqual(names.map(() => 'completed'));
    for (const [i, avatar] of avatars.entries()) {
      await until(() => heardLast(avatar, sound(3000, 100 + i)), 'the next utterance', PATIENCE_MS);
      const { alive, attempts, segments } = avatar.report();
      expect([alive, attempts, faultsOf(avatar)]).toEqual([true, 1, []]);
      expect(segments.map(({ receivedSamples }) => receivedSamples)).toEqual([24_064, 3072]);
      expect(
        Buffer.from(avatar.heard().slice(0, 24_000).buffer).equals(Buffer.from(sound(24_000, i).buffer)),
      ).toBe(true);
    }
    await until(() => rig.keeper.workers.length === 1, 'the end of the old worker', PATIENCE_MS);
    expect(await activePid(rig)).not.toBe(pid);
    expect(rig.log.filter((line) => line.startsWith('error'))).toEqual([]);
  });
});

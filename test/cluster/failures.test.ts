import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { killCommands } from '../support/command.js';
import { describeWith } from '../support/needs.js';
import { until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';
import { startBadNetwork, type NetworkOptions } from './support/bad-network.js';
import { startNats, type NatsServer } from './support/nats-server.js';
import { nodeShows, startNode, type NodeProcess } from './support/node-processes.js';

let nats: NatsServer;
beforeEach(async () => {
  nats = await startNats();
});
afterEach(async () => {
  await killCommands();
  await nats.close();
});

async function badNetwork(options?: NetworkOptions) {
  const network = await startBadNetwork(nats.port, options);
  onTestFinished(() => network.close());
  return network;
}

/** How long something takes, in ms. */
async function timed<T>(work: Promise<T>): Promise<[T, number]> {
  const startedMs = performance.now();
  const result = await work;
  return [result, performance.now() - startedMs];
}

async function silent(node: NodeProcess, agent: string): Promise<boolean> {
  const { json } = await node.ask('GET', `/api/agents/${agent}`);
  return !(json as unknown as { speaking: boolean }).speaking;
}

const LONG = noise(96_000, 20_000);

await describeWith(['nats-server'], 'nodes as processes, when something between them fails', () => {
  it('end remote speeches at once when the broker is killed, leave local ones alone, and are back by themselves', async () => {
    const [kyoto, hub, osaka] = await Promise.all([
      startNode('kyoto', nats.url),
      startNode('hub', nats.url),
      startNode('osaka', nats.url, ['--on-node-lost', 'stop']),
    ]);
    const [mei, own, taro] = [await kyoto.avatar('mei'), await hub.avatar('own'), await osaka.avatar('taro')];
    await Promise.all([nodeShows(hub, 'mei'), nodeShows(hub, 'taro')]);
    const events = await hub.follow();
    const remote = await hub.speak('mei', wavOf(LONG));
    const stopped = await hub.speak('taro', wavOf(LONG));
    const local = await hub.speak('own', wavOf(LONG));
    await until(() =>
      [remote, stopped, local].every(({ lines }) => lines.some(({ type }) => type === 'position')),
    );
    await nats.kill();
    const [, endedMs] = await timed(remote.ended);
    expect(endedMs).toBeLessThan(3000);
    expect(remote.lines.at(-1)).toMatchObject({
      type: 'ended',
      agent: 'mei',
      how: 'failed',
      error: { code: 'NODE_UNREACHABLE' },
    });
    const [refused, refusedMs] = await timed(hub.ask('POST', '/api/agents/mei/speeches', wavOf(LONG)));
    expect(refused.json).toMatchObject({ status: 503, code: 'NODE_UNREACHABLE', retryable: true });
    expect(refusedMs).toBeLessThan(1000);
    await nodeShows(hub, 'mei', 'absent');
    await local.ended;
    expect(local.lines.at(-1)).toMatchObject({ type: 'ended', how: 'completed' });
    expect(compareHeard(LONG, own.heard())).toMatchObject({ exact: true });
    // What the node that plays had taken in is heard to its end; the other one was told to stop.
    await until(() => silent(kyoto, 'mei'));
    expect(compareHeard(LONG, mei.heard())).toMatchObject({ exact: true });
    await until(() => silent(osaka, 'taro'));
    expect(taro.heard().length).toBeLessThan(LONG.length);

    await nats.start();
    await nodeShows(hub, 'mei');
    const again = await hub.ask('POST', '/api/agents/mei/speeches?wait=finished', wavOf(noise(8000, 9000)));
    expect(again.json).toMatchObject({ agent: 'mei', end: { how: 'completed' } });
    // The end of the speech on node kyoto was told while nobody could hear it.
    const missed = events.filter(({ data }) => data['type'] === 'missed' && data['node'] === 'kyoto');
    expect(missed.length).toBeGreaterThan(0);
    expect(Number(missed[0]!.data['count'])).toBeGreaterThan(0);
    expect(events.some(({ data }) => data['type'] === 'lost' && data['agent'] === 'mei')).toBe(true);
  });

  it('end a speech on a node that is killed within seconds, and know at once that the node is gone', async () => {
    const [kyoto, hub] = await Promise.all([startNode('kyoto', nats.url), startNode('hub', nats.url)]);
    await kyoto.avatar('mei');
    await nodeShows(hub, 'mei');
    const remote = await hub.speak('mei', wavOf(noise(320_000, 9000)));
    await until(() => remote.lines.some(({ type }) => type === 'position'));
    await kyoto.kill();
    const [refused, refusedMs] = await timed(hub.ask('POST', '/api/agents/mei/interrupt'));
    expect(refused.json).toMatchObject({ code: 'NODE_UNREACHABLE' });
    expect(refusedMs).toBeLessThan(1000);
    const [, endedMs] = await timed(remote.ended);
    expect(endedMs).toBeLessThan(5000);
    expect(remote.lines.at(-1)).toMatchObject({
      type: 'ended',
      how: 'failed',
      error: { code: 'NODE_UNREACHABLE' },
    });
    await nodeShows(hub, 'mei', 'absent');
    const anew = await startNode('kyoto', nats.url);
    const avatar = await anew.avatar('mei');
    await nodeShows(hub, 'mei');
    const sound = noise(16_000, 20_000);
    expect((await hub.ask('POST', '/api/agents/mei/speeches?wait=finished', wavOf(sound))).status).toBe(200);
    expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
  });

  it('go on alone in a partition, answer NODE_UNREACHABLE once it is known, and join again when it heals', async () => {
    const network = await badNetwork();
    const [kyoto, hub] = await Promise.all([startNode('kyoto', network.url), startNode('hub', nats.url)]);
    const mei = await kyoto.avatar('mei');
    const own = await hub.avatar('own');
    await nodeShows(hub, 'mei');
    await nodeShows(kyoto, 'own');
    const remote = await hub.speak('mei', wavOf(noise(480_000, 9000)));
    await until(() => remote.lines.some(({ type }) => type === 'position'));
    network.cut();
    const [, endedMs] = await timed(remote.ended);
    expect(endedMs).toBeLessThan(15_000);
    expect(remote.lines.at(-1)).toMatchObject({ how: 'failed', error: { code: 'NODE_UNREACHABLE' } });
    for (const [node, agent] of [
      [hub, 'mei'],
      [kyoto, 'own'],
    ] as const) {
      await nodeShows(node, agent, 'absent');
      const [refused, refusedMs] = await timed(node.ask('POST', `/api/agents/${agent}/interrupt`));
      expect(refused.json).toMatchObject({ code: 'NODE_UNREACHABLE' });
      expect(refusedMs).toBeLessThan(1000);
    }
    await kyoto.ask('POST', '/api/agents/mei/interrupt');
    const sound = noise(16_000, 20_000);
    const before = [mei.heard().length, own.heard().length] as const;
    const [here, there] = await Promise.all([
      kyoto.ask('POST', '/api/agents/mei/speeches?wait=finished', wavOf(sound)),
      hub.ask('POST', '/api/agents/own/speeches?wait=finished', wavOf(sound)),
    ]);
    expect([here.status, there.status]).toEqual([200, 200]);
    expect(compareHeard(sound, mei.heard().subarray(before[0]))).toMatchObject({ exact: true });
    expect(compareHeard(sound, own.heard().subarray(before[1]))).toMatchObject({ exact: true });
    network.heal();
    await nodeShows(hub, 'mei');
    await nodeShows(kyoto, 'own');
    expect((await kyoto.ask('POST', '/api/agents/own/speeches?wait=finished', wavOf(sound))).status).toBe(
      200,
    );
  });

  it('speak whole through a network of 200 ms and 5 % loss', async () => {
    const network = await badNetwork({ delayMs: 100, loss: 0.05 });
    const [kyoto, hub] = await Promise.all([startNode('kyoto', network.url), startNode('hub', nats.url)]);
    const mei = await kyoto.avatar('mei');
    await nodeShows(hub, 'mei');
    const sound = noise(160_000, 20_000);
    const remote = await hub.speak('mei', wavOf(sound));
    await remote.ended;
    expect(remote.lines.at(-1)).toMatchObject({ how: 'completed', gaps: { count: 0 } });
    expect(compareHeard(sound, mei.heard())).toMatchObject({ exact: true });
  });

  it('go on without a server that is not there yet, and find one another when it comes', async () => {
    await nats.kill();
    const [kyoto, hub] = await Promise.all([startNode('kyoto', nats.url), startNode('hub', nats.url)]);
    await kyoto.avatar('mei');
    const local = await kyoto.ask('POST', '/api/agents/mei/speeches?wait=finished', wavOf(noise(8000, 9000)));
    expect(local.status).toBe(200);
    expect((await hub.ask('POST', '/api/agents/mei%40kyoto/interrupt')).json).toMatchObject({
      code: 'NODE_UNREACHABLE',
    });
    await nats.start();
    await nodeShows(hub, 'mei');
  });
});

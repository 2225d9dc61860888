import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../support/needs.js';
import { inProject } from '../support/paths.js';
import { until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { StreamClient } from '../support/stream-client.js';
import { startBadNetwork } from './support/bad-network.js';
import { startNats, type NatsServer } from './support/nats-server.js';
import { NodeRigs, shows } from './support/node-rig.js';

let nats: NatsServer;
let nodes: NodeRigs;
beforeEach(async () => {
  nats = await startNats();
  nodes = new NodeRigs(nats);
});
afterEach(async () => {
  await nodes.close();
  await nats.close();
});

await describeWith(['nats-server'], 'live sound on another node', () => {
  it('drops its oldest and counts it when the network stands still, and is fresh again afterwards', async () => {
    const network = await startBadNetwork(nats.port);
    const kyoto = await nodes.start('kyoto', { nats: [network.url] });
    const hub = await nodes.start('hub');
    await kyoto.avatar({ name: 'mei' });
    await shows(hub, 'mei');
    const client = await StreamClient.open(hub.port, 'mei');
    client.say({ type: 'start', format: 's16le:16000:1', live: true, leadMs: 100 });
    const sound = noise(640, 9000);
    const talking = setInterval(() => client.sound(sound), 40);
    try {
      await until(() => client.all('position').length > 5);
      network.cut();
      await sleep(2500);
      network.heal();
      const before = client.all('position').length;
      await until(() => client.all('position').length > before + 20);
    } finally {
      clearInterval(talking);
    }
    const [at, { latency }] = [client.all('position').length, client.all('position').at(-1)!];
    expect(at).toBeGreaterThan(0);
    client.say({ type: 'end' });
    const ended = await client.next('ended');
    expect(ended.how).toBe('completed');
    expect(ended.droppedMs).toBeGreaterThan(1000);
    // Counted from its arrival: nothing old waits in front of what comes now.
    expect(latency!.p50Ms).toBeLessThan(1000);
    client.socket.close();
    await nodes.close();
    await network.close();
  });

  it('and everything else of nodes is loaded only where --nats is given', () => {
    const script = `
      import { createRequire } from 'node:module';
      import { createBridge, attachService } from ${JSON.stringify(inProject('dist/index.js'))};
      const bridge = await createBridge({ port: 0 });
      await attachService(bridge);
      const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('@nats-io'));
      await bridge.close();
      console.log(loaded.length);
      await import('@nats-io/transport-node');
      console.log(Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('@nats-io')));
    `;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: inProject('.'),
      encoding: 'utf8',
    });
    expect(stdout.trim().split('\n')).toEqual(['0', 'true']);
  });
});

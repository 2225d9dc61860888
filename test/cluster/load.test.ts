import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { killCommands } from '../support/command.js';
import { describeWith } from '../support/needs.js';
import { answerOf } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';
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

const MB = 1024 * 1024;
/** Set for the large run by hand; 192 kHz in 8 channels of 32-bit float is 6.1 MB a second. */
const UPLOAD_MB = Number(process.env['NODES_UPLOAD_MB'] ?? 60);

function residentMb(node: NodeProcess): number {
  const status = readFileSync(`/proc/${node.run.child.pid!}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
}

await describeWith(['nats-server'], 'many and large speeches on other nodes', () => {
  it('are 50 agents on 3 nodes that all speak at once, each heard sample by sample', async () => {
    const names = ['kyoto', 'osaka', 'nara'];
    const nodes = await Promise.all(names.map((name) => startNode(name, nats.url)));
    const hub = await startNode('hub', nats.url);
    const agents = Array.from({ length: 50 }, (_, i) => ({
      name: `a${i}`,
      node: nodes[i % 3]!,
      seed: i + 1,
    }));
    const avatars = await Promise.all(agents.map(({ name, node }) => node.avatar(name)));
    await Promise.all(agents.map(({ name }) => nodeShows(hub, name)));
    const sounds = agents.map(({ seed }) => noise(24_000 + 7 * seed, 20_000, seed));
    const speeches = await Promise.all(sounds.map((sound, i) => hub.speak(`a${i}`, wavOf(sound))));
    await Promise.all(speeches.map(({ ended }) => ended));
    speeches.forEach(({ lines }, i) => {
      expect(lines.at(-1)).toMatchObject({ type: 'ended', agent: `a${i}`, how: 'completed' });
      expect(compareHeard(sounds[i]!, avatars[i]!.heard())).toMatchObject({ exact: true });
    });
  });

  it(
    'take a large upload as it is spoken, with flat memory on both nodes',
    { timeout: 60_000 + UPLOAD_MB * 400 },
    async () => {
      const [kyoto, hub] = await Promise.all([startNode('kyoto', nats.url), startNode('hub', nats.url)]);
      await kyoto.avatar('mei');
      await nodeShows(hub, 'mei');
      const query = 'format=f32le:192000:8&wait=finished&leadMs=1000';
      const upload = request({
        ...{ host: '127.0.0.1', port: hub.port, method: 'POST', path: `/api/agents/mei/speeches?${query}` },
        agent: false,
      });
      const chunk = Buffer.alloc(64 * 1024);
      const seen: number[] = [];
      for (let sent = 0; sent < UPLOAD_MB * MB; sent += chunk.length) {
        if (!upload.write(chunk)) await once(upload, 'drain');
        if (sent % (4 * MB) === 0) seen.push(residentMb(kyoto), residentMb(hub));
      }
      upload.end();
      const [response] = (await once(upload, 'response')) as [IncomingMessage];
      const { json } = await answerOf(response);
      expect(json).toMatchObject({ end: { how: 'completed' } });
      expect(json['end']!['heardMs']).toBeCloseTo((UPLOAD_MB * MB) / (192 * 8 * 4), -1);
      const [first, rest] = [seen.slice(4, 8), seen.slice(8)];
      console.log(`resident MB at the start ${Math.max(...first)}, later at most ${Math.max(...rest)}`);
      expect(Math.max(...rest) - Math.max(...first)).toBeLessThan(60);
    },
  );
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { inProcess } from '../support/command.js';
import { describeWith } from '../support/needs.js';
import { until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { wavOf } from '../support/wav.js';
import { startNats, type NatsServer } from './support/nats-server.js';
import { NodeRigs, shows } from './support/node-rig.js';

let nats: NatsServer;
let nodes: NodeRigs;
const folder = mkdtempSync(join(tmpdir(), 'nodes-'));

beforeAll(async () => {
  nats = await startNats();
  nodes = new NodeRigs(nats);
});
afterEach(() => nodes.close());
afterAll(async () => {
  await nats.close();
  rmSync(folder, { recursive: true, force: true });
});

await describeWith(['nats-server'], 'the commands, about agents of other nodes', () => {
  it('list them with their node, and speak, say, send, queue, set, pause and interrupt as with local ones', async () => {
    const say = { engine: new FakeEngine() };
    const [kyoto, hub] = await Promise.all([
      nodes.start('kyoto', { leadMs: 1000, say }),
      nodes.start('hub', { leadMs: 1000 }),
    ]);
    const [mei, own] = [await kyoto.avatar({ name: 'mei' }), await hub.avatar({ name: 'own' })];
    await shows(hub, 'mei');
    const run = async (...args: string[]) => {
      const result = await inProcess([...args, '--port', String(hub.port)]);
      return { ...result, text: result.out + result.err };
    };
    const listed = await run('agents');
    expect(listed.out).toMatch(/^NAME\s+NODE\s+STATE/);
    expect(listed.out).toMatch(/mei\s+kyoto\s+ready/);
    expect(listed.out).toMatch(/own\s+hub\s+ready/);
    const sound = noise(8000, 20_000);
    const file = join(folder, 'voice.wav');
    writeFileSync(file, wavOf(sound));
    const spoken = await run('speak', file, '--agent', 'mei@kyoto,own@hub', '--lead-ms', '1000');
    expect([spoken.exit, spoken.text]).toEqual([0, expect.any(String)]);
    for (const avatar of [mei, own])
      expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
    expect(await run('say', 'Hello.', '--agent', 'mei')).toMatchObject({ exit: 0 });
    expect(say.engine.texts).toEqual(['Hello.']);
    expect(await run('send', 'HELLO|there', '--agent', 'mei@kyoto')).toMatchObject({ exit: 0 });
    await until(() => mei.report().commands.some(({ line }) => line === 'HELLO|there'));
    expect(await run('pause', '--agent', 'mei')).toMatchObject({ exit: 0 });
    expect(await run('resume', '--agent', 'mei')).toMatchObject({ exit: 0 });
    expect(await run('queue', '--agent', 'mei@kyoto')).toMatchObject({ exit: 0 });
    expect(await run('stop', '--agent', 'all')).toMatchObject({ exit: 0 });
    const unknown = await run('send', 'HELLO|there', '--agent', 'mei@nara');
    expect(unknown.exit).not.toBe(0);
    expect(unknown.err).toContain('NODE_UNREACHABLE');
  });

  it('follow them', async () => {
    const [kyoto, hub] = await Promise.all([nodes.start('kyoto'), nodes.start('hub')]);
    await kyoto.avatar({ name: 'mei' });
    await shows(hub, 'mei');
    let press: () => void = () => undefined;
    const watching = inProcess(['watch', '--agent', 'mei@kyoto', '--port', String(hub.port), '--json'], {
      ctrlC: (given) => (press = given),
    });
    await until(async () => (await hub.about()).followers > 0);
    await kyoto.ask('POST', '/api/agents/mei/speeches?wait=finished', { body: wavOf(noise(8000, 9000)) });
    await new Promise((resolve) => setTimeout(resolve, 500));
    press();
    const { out } = await watching;
    const events = out
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events[0]).toMatchObject({ type: 'snapshot', agents: [{ name: 'mei', node: 'kyoto' }] });
    expect(
      events.some(({ type, agent, node }) => type === 'ended' && agent === 'mei' && node === 'kyoto'),
    ).toBe(true);
  });
});

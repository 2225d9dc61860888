import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from 'rabbitmq-client';
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { BridgeHandle, OpenOptions } from '../../src/bridge.js';
import { compareHeard, type SimulatedAvatar } from '../../src/simulator/index.js';
import { joinAvatar, startBridge, until } from '../support/bridge-rig.js';
import { killCommands, start } from '../support/command.js';
import { describeWith } from '../support/needs.js';
import { inProject } from '../support/paths.js';
import { noise } from '../support/signals.js';
import { RabbitMq } from './support/rabbitmq.js';

const CHUNK_SAMPLES = 800;

let broker: RabbitMq;
let folder: string;
let config: string;

const chunks = (samples: Int16Array): string[] =>
  Array.from({ length: Math.ceil(samples.length / CHUNK_SAMPLES) }, (_, i) => {
    const part = samples.slice(i * CHUNK_SAMPLES, (i + 1) * CHUNK_SAMPLES);
    return Buffer.from(part.buffer).toString('base64');
  });

const audio = (body: string, update_type = 'add'): object => ({
  exchange: 'tts',
  data_type: 'audio',
  update_type,
  body,
});

const motion = (body: object): object => ({
  exchange: 'dialogue2',
  data_type: 'expression_and_action',
  update_type: 'add',
  body,
});

/** Sends units as Remdis' modules do, through Python's pika. */
async function publisher(): Promise<(...units: object[]) => void> {
  const run = start('/usr/bin/python3', [
    '-u',
    inProject('test/remdis/support/publish.py'),
    String(broker.port),
  ]);
  await run.says('ready');
  return (...units) => void run.child.stdin!.write(units.map((unit) => `${JSON.stringify(unit)}\n`).join(''));
}

/** True when an avatar heard this sound last, and the silence that fills its last block. */
function endsWith(heard: Int16Array, sound: Int16Array): boolean {
  const padded = Math.ceil(sound.length / 256) * 256;
  return compareHeard(sound, heard.slice(heard.length - padded)).exact;
}

interface Joined {
  readonly bridge: BridgeHandle;
  readonly avatar: SimulatedAvatar;
  readonly publish: (...units: object[]) => void;
  readonly log: string[];
}

async function joined(options: OpenOptions = {}): Promise<Joined> {
  const log: string[] = [];
  const line = (_fields: object, message: string): void => void log.push(message);
  const logger = { debug: line, info: line, warn: line, error: line, child: () => logger };
  const publish = await publisher();
  const bridge = await startBridge({
    remdis: `amqp://guest:guest@127.0.0.1:${broker.port}`,
    remdisConfig: config,
    logger,
    ...options,
  });
  const avatar = await joinAvatar(bridge);
  await bridge.agent().whenReady();
  await until(() => log.some((text) => text.includes('joined Remdis')), 'it joins Remdis', 30_000);
  // The consumer is bound a moment after the connection.
  await new Promise((later) => setTimeout(later, 500));
  return { bridge, avatar, publish, log };
}

await describeWith(
  ['/usr/lib/rabbitmq/bin/rabbitmq-server', '/usr/bin/python3'],
  'Remdis over RabbitMQ',
  () => {
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'remdis-'));
      config = join(folder, 'rabbitmq_config.json');
      await writeFile(
        config,
        JSON.stringify({
          host: 'localhost',
          target_model_alias: '0',
          motion_expression_alias: 'expression',
          motion_action_alias: 'action',
          expression_list: [
            { name: 'joy', motion: 'smile.vmd' },
            { name: 'anger', motion: 'angry.vmd' },
          ],
          action_list: [{ name: 'nod', motion: 'nod.vmd' }],
        }),
      );
      broker = await RabbitMq.start();
    }, 120_000);
    afterAll(async () => {
      await broker.stop();
      await rm(folder, { recursive: true, force: true });
    });
    afterEach(killCommands);

    it('speaks the chunks of an utterance to the sample, and ends it at the commit', async () => {
      const { bridge, avatar, publish } = await joined();
      const sound = noise(24_000, 9000, 1);
      publish(...chunks(sound).flatMap((body) => [audio(body), { sleep: 0.04 }]), audio('', 'commit'));
      await until(() => compareHeard(sound, avatar.heard()).exact, 'the utterance is heard', 30_000);
      await until(() => bridge.agent().speeches.length === 0);
      expect(avatar.report().segments).toHaveLength(1);
    });

    it('stops at a revoke and speaks the utterance after it', async () => {
      const { bridge, avatar, publish } = await joined();
      publish(...chunks(noise(160_000, 9000, 2)).map((body) => audio(body)));
      await until(() => bridge.agent().snapshot().speaking);
      const [speech] = bridge.agent().speeches;
      publish({ exchange: 'tts', update_type: 'revoke', data_type: 'audio', body: '' });
      const end = await speech!.finished;
      expect(end.how).toBe('stopped');
      const heardBefore = avatar.heard().length;
      expect(heardBefore).toBeLessThan(160_000);
      const next = noise(16_000, 9000, 3);
      publish(...chunks(next).map((body) => audio(body)), audio('', 'commit'));
      await until(
        () => avatar.report().segments.at(-1)?.receivedSamples === 16_128,
        'the next one is heard',
        30_000,
      );
      await until(() => bridge.agent().speeches.length === 0);
      await until(() => endsWith(avatar.heard(), next), 'it is heard to its end');
    });

    it('moves the avatar when the sound before an expression has been heard, in the plugin’s slots', async () => {
      const { avatar, publish } = await joined();
      const commands = (): string[] =>
        avatar
          .report()
          .commands.map(({ line }) => line)
          .filter((line) => line.startsWith('MOTION_'));
      publish(motion({ expression: 'joy', action: 'nod' }));
      await until(() => commands().length === 2);
      expect(commands()).toEqual([
        'MOTION_ADD|0|expression0|smile.vmd|PART|ONCE|ON|OFF',
        'MOTION_ADD|0|action0|nod.vmd|PART|ONCE|ON|OFF',
      ]);
      publish(...chunks(noise(16_000, 9000, 4)).map((body) => audio(body)));
      // Sound and motions come over two queues, in no order: by then all of the sound is there.
      await until(() => avatar.heard().length > 10_000);
      publish(motion({ expression: 'anger' }), audio('', 'commit'));
      await until(() => commands().includes('MOTION_ADD|0|expression1|angry.vmd|PART|ONCE|ON|OFF'));
      expect(avatar.heard().length).toBeGreaterThan(14_000);
      await until(() => commands().includes('MOTION_DELETE|0|expression0'));
    });

    it('counts what is no unit of Remdis and goes on', async () => {
      const { avatar, publish, log } = await joined();
      publish(
        { exchange: 'tts', raw: 'no JSON' },
        { exchange: 'tts', raw: '{"update_type":"add"}' },
        { exchange: 'tts', raw: '[]' },
        audio('###'),
        { exchange: 'dialogue2', update_type: 'add', data_type: 'expression_and_action', body: 'x' },
      );
      await until(() => log.some((text) => text.includes('so far')));
      const sound = noise(8000, 9000, 5);
      publish(...chunks(sound).map((body) => audio(body)), audio('', 'commit'));
      await until(() => compareHeard(sound, avatar.heard()).exact, 'the utterance is heard', 30_000);
    });

    it('speaks text with its own engine, and tells what was heard', async () => {
      const { publish } = await joined({ remdisText: true, remdisHeard: 'heard' });
      const client = new Connection(`amqp://guest:guest@127.0.0.1:${broker.port}`);
      const told: unknown[] = [];
      const consumer = client.createConsumer(
        {
          queueOptions: { exclusive: true },
          exchanges: [{ exchange: 'heard', type: 'fanout', durable: false }],
          queueBindings: [{ exchange: 'heard' }],
          noAck: true,
        },
        ({ body }) => void told.push(JSON.parse((body as Buffer).toString())),
      );
      onTestFinished(async () => {
        await consumer.close();
        await client.close();
      });
      await new Promise((ready) => consumer.once('ready', () => ready(undefined)));
      publish(
        { exchange: 'dialogue', update_type: 'add', body: 'Good morning.', id: 'one' },
        { exchange: 'dialogue', update_type: 'commit', body: '' },
      );
      await until(() => told.length === 1, 'it tells what was heard', 60_000);
      expect(told[0]).toMatchObject({
        exchange: 'heard',
        update_type: 'commit',
        body: { utterance: 'one', text: 'Good morning.', interrupted: false },
      });
      expect((told[0] as { body: { heard_ms: number } }).body.heard_ms).toBeGreaterThan(300);
    });

    it('goes on by itself when the broker was killed in mid-speech', { timeout: 180_000 }, async () => {
      const { bridge, avatar, publish, log } = await joined();
      publish(...chunks(noise(32_000, 9000, 6)).map((body) => audio(body)));
      await until(() => bridge.agent().snapshot().speaking);
      await broker.kill();
      await until(() => log.some((text) => text.includes('lost RabbitMQ')));
      await until(() => bridge.agent().speeches.length === 0, 'the speech ends', 30_000);
      await broker.run();
      await until(
        () => log.filter((text) => text.includes('joined Remdis')).length === 2,
        'it joins again',
        60_000,
      );
      await new Promise((later) => setTimeout(later, 1000));
      const again = await publisher();
      const sound = noise(8000, 9000, 7);
      again(...chunks(sound).map((body) => audio(body)), audio('', 'commit'));
      await until(() => avatar.report().segments.at(-1)?.receivedSamples === 8192, 'it is heard', 30_000);
      await until(() => bridge.agent().speeches.length === 0);
      await until(() => endsWith(avatar.heard(), sound), 'it is heard to its end');
      expect(bridge.agent().state).toBe('ready');
    });
  },
);

it('an absent broker is a warning, and local speech goes on', async () => {
  const log: string[] = [];
  const line = (_fields: object, message: string): void => void log.push(message);
  const logger = { debug: line, info: line, warn: line, error: line, child: () => logger };
  const bridge = await startBridge({ remdis: 'amqp://guest:guest@127.0.0.1:1', logger });
  const avatar = await joinAvatar(bridge);
  await until(() => log.some((text) => text.includes('does not answer')));
  const sound = noise(4000, 9000, 8);
  const speech = bridge.agent().speak(sound, { sampleRateHz: 16_000 });
  expect((await speech.finished).how).toBe('completed');
  expect(compareHeard(sound, avatar.heard()).exact).toBe(true);
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Motions, readRabbitMqConfig } from '../../src/remdis/motions.js';
import { inProject } from '../support/paths.js';

async function fileOf(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'motions-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'rabbitmq_config.json');
  await writeFile(path, text);
  return path;
}

it('reads the sample configuration, and turns names into motions', async () => {
  const motions = new Motions(await readRabbitMqConfig(inProject('samples/rabbitmq_config.json')));
  expect(motions.commands({ expression: 'joy', action: 'jump' })).toEqual({
    commands: ['MOTION_ADD|0|expression0|motion/smile.vmd|PART|ONCE|ON|OFF'],
    unknown: ['jump'],
  });
  expect(motions.commands({ expression: 'normal' }).commands).toEqual([
    'MOTION_ADD|0|expression1|motion/normal.vmd|PART|ONCE|ON|OFF',
    'MOTION_DELETE|0|expression0',
  ]);
});

it('names the file and the key of a configuration that is wrong', async () => {
  await expect(readRabbitMqConfig(await fileOf('{'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(readRabbitMqConfig(await fileOf('{"port":"x"}'))).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('rabbitmq_config.json') as string,
  });
  await expect(readRabbitMqConfig('/nowhere/x.json')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
});

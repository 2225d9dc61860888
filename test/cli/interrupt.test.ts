import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SimulatedAvatar } from '../../src/simulator/index.js';
import { inProcess, type InProcess, type InProcessOptions } from '../support/command.js';
import { fakePath } from '../support/fake-programs.js';
import { inProject } from '../support/paths.js';
import { isAlive } from '../support/processes.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';

let rig: ServiceRig;
let avatar: SimulatedAvatar;
beforeEach(async () => {
  rig = await startService();
  avatar = await rig.avatar();
});
afterEach(() => rig.close());

/** A standard input that stays open, as a terminal's does. */
class OpenInput extends Readable {
  override _read(): void {
    // What it says is pushed by the test.
  }
}

/** Runs a command and presses Ctrl-C as soon as something is so. */
async function interrupted(
  args: readonly string[],
  when: () => boolean | Promise<boolean>,
  options: InProcessOptions = {},
): Promise<InProcess> {
  let press: (() => void) | undefined;
  const run = inProcess([...args, '--port', String(rig.port)], {
    ...options,
    ctrlC: (given) => (press = given),
  });
  await until(when);
  press!();
  return run;
}

const speaking = (): boolean => rig.bridge.agent().speeches.some(({ hasStarted }) => hasStarted);
const lines = (): string[] => avatar.report().commands.map(({ line }) => line);

/** Nothing is left of a command: neither its speech nor its place. */
async function gone(): Promise<void> {
  await until(() => rig.bridge.agent().speeches.length === 0);
  await until(async () => (await rig.about()).uploads === 0);
  expect(avatar.report()).toMatchObject({ faults: [], alive: true });
}

describe('Ctrl-C', () => {
  it('in speak stops what waits for its turn, and nothing else', async () => {
    void rig.ask('POST', '/api/agents/default/say', {
      body: 'One two three four five six seven eight nine ten.',
    });
    await until(speaking);
    const waiting = (): boolean => rig.bridge.agent().speeches.length === 2;
    const { exit } = await interrupted(['speak', inProject('samples/hello.wav')], waiting);
    expect(exit).toBe(130);
    // When it goes before it has heard that it was taken on, the service notices a moment later.
    await until(() => rig.bridge.agent().speeches.length === 1);
    // The other one is not ours to stop.
    expect(rig.bridge.agent().speeches.map(({ label }) => label)).toEqual([
      'One two three four five six seven eight…',
    ]);
    await rig.ask('POST', '/api/agents/default/interrupt');
    await gone();
  });

  it('in say, while the text is still being written, stops what is said', async () => {
    const stdin = new OpenInput();
    stdin.push(Buffer.from('One two three four five six seven eight nine ten. And '));
    const { exit, out } = await interrupted(['say', '-'], speaking, { stdin });
    expect([exit, out]).toEqual([130, expect.stringMatching(/the text: stopped: heard \d\.\d\d s/)]);
    await gone();
  });

  it('in send, at an open standard input, leaves what was sent and ends with 130', async () => {
    const stdin = new OpenInput();
    stdin.push(Buffer.from('A|1\nB|2\nC|'));
    const { exit, out } = await interrupted(['send', '-'], () => lines().includes('B|2'), { stdin });
    expect([exit, out]).toEqual([130, 'sent: A|1\nsent: B|2\n']);
    expect(lines().filter((line) => /^[ABC]\|/.test(line))).toEqual(['A|1', 'B|2']);
    await gone();
  });

  it('in watch and in a wait for an avatar ends with 130', async () => {
    const followed = async (): Promise<boolean> => (await rig.about()).followers > 0;
    expect((await interrupted(['watch'], followed)).exit).toBe(130);
    const waiting = (): boolean => rig.bridge.findAgent('late')?.inUse === true;
    const late = await interrupted(['send', '--agent', 'late', '--wait-ms', '60000', 'A|1'], waiting);
    expect(late.exit).toBe(130);
    await until(() => rig.bridge.findAgent('late')?.inUse !== true);
    await until(async () => (await rig.about()).followers === 0);
  });

  it('in mic ends the recording, and what was recorded is still spoken', async () => {
    const restore = fakePath({
      parec: `echo $$ > "$0.pid"
while :; do /usr/bin/head -c 3200 /dev/urandom; /bin/sleep 0.1; done`,
    });
    try {
      const { exit, err } = await interrupted(['mic', '--recorder', 'parec'], speaking);
      // It is how a recording ends: nothing has failed.
      expect([exit, err]).toEqual([0, '']);
      const pid = Number(readFileSync(join(process.env['PATH']!, 'parec.pid'), 'utf8'));
      await until(() => !isAlive(pid));
      await gone();
      expect(avatar.report().samplesHeard).toBeGreaterThan(0);
    } finally {
      restore();
    }
  });
});

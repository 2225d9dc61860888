import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { joinAvatar, startBridge, until } from '../support/bridge-rig.js';
import { command, inProcess, killCommands } from '../support/command.js';
import { inProject } from '../support/paths.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { startService, type ServiceRig } from '../support/service-rig.js';

let rig: ServiceRig | undefined;
afterEach(async () => {
  await killCommands();
  await rig?.close();
  rig = undefined;
});

describe('say', () => {
  it('speaks with the built-in voice when nothing is configured, and its phonemes move the lips', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const say = command(['say', '--port', String(rig.port), 'Hello there. How are you?']);
    expect(await say.exit, say.err).toBe(0);
    expect(say.out).toMatch(/Hello there\. How are you\?: finished: heard [1-9]/);
    expect(Math.max(...avatar.heard())).toBeGreaterThan(3000);
    const { commands, faults } = avatar.report();
    expect(faults).toEqual([]);
    const lines = commands.map(({ line }) => line);
    expect(lines).toContain('__AVCONF_DISABLEAUTOLIP,ALWAYS');
    expect(lines.some((line) => /^LIPSYNC_START\|0\|.*\bhh,\d+.*pau,\d+$/.test(line))).toBe(true);
  });

  it('speaks text while it is being written', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const say = command(['say', '--port', String(rig.port), '--lips', 'avatar', '-']);
    say.child.stdin!.write('The first sentence sounds. ');
    await say.says(/the text: speaking/);
    await until(() => avatar.report().samplesHeard > 8000, 'the first sentence');
    say.child.stdin!.end('The second was written later.');
    expect(await say.exit, say.err).toBe(0);
    expect(avatar.report().commands.map(({ line }) => line)).not.toContain('__AVCONF_DISABLEAUTOLIP,ALWAYS');
  });

  it('names an engine that there is none of', async () => {
    rig = await startService();
    await rig.avatar();
    const unknown = command(['say', '--port', String(rig.port), '--engine', 'nosuch', 'Hi']);
    expect(await unknown.exit).not.toBe(0);
    expect(unknown.err).toMatch(/ENGINE_UNKNOWN/);
  });

  it('lists voices and engines', async () => {
    rig = await startService();
    const voices = command(['voices', '--port', String(rig.port), '--engine', 'flite']);
    expect(await voices.exit, voices.err).toBe(0);
    expect(voices.out).toMatch(/slt/);
    const engines = command(['voices', '--engines']);
    expect(await engines.exit).toBe(0);
    expect(engines.out).toMatch(/voicevox/);
  });
});

describe('the README', () => {
  it('shows a line that speaks live with the built-in voice to a simulated avatar', async () => {
    const readme = readFileSync(inProject('README.md'), 'utf8');
    const [simulator, say] = ['simulator', 'say'].map((name) => {
      const line = new RegExp(`^npm run bridge -- (${name}.*?)(?: +#.*)?$`, 'm').exec(readme)![1]!;
      return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
    }) as [string[], string[]];
    rig = await startService();
    const env = { MMDAGENT_BRIDGE_PORT: String(rig.port) };
    const avatar = command(simulator, { env });
    await until(() => rig!.bridge.findAgent('default')?.state === 'ready', 'the simulated avatar', 20_000);
    const spoken = command(say, { env });
    expect(await spoken.exit, spoken.err).toBe(0);
    expect(spoken.out).toMatch(/: finished: heard [1-9]/);
    avatar.child.kill('SIGINT');
    await avatar.exit;
    expect(avatar.out).toMatch(/heard/);
  });
});

describe('a bridge.yaml', () => {
  const folder = mkdtempSync(join(tmpdir(), 'say-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('gives the service its voice, its tags and its options, when it lies where the service is started', async () => {
    writeFileSync(
      join(folder, 'bridge.yaml'),
      'engine: flite\nvoice: rms\nport: 0\ntags:\n  nod: NOD|{1}\nlips: avatar\n',
    );
    const serve = command(['serve', '--json'], { cwd: folder });
    await serve.says(/listening on/);
    const port = /listening on http:\/\/[^:]+:(\d+)/.exec(serve.out + serve.err)![1]!;
    const avatar = new SimulatedAvatar({
      url: `ws://127.0.0.1:${port}/chat`,
      audioOpenMs: 0,
      readyAfterMs: 60,
    });
    await avatar.connect();
    const say = command(['say', 'Yes. [nod 3]'], { env: { MMDAGENT_BRIDGE_PORT: port } });
    expect(await say.exit, say.err).toBe(0);
    const voices = command(['voices'], { env: { MMDAGENT_BRIDGE_PORT: port } });
    expect(await voices.exit, voices.err).toBe(0);
    expect(voices.out).toMatch(/rms/);
    const lines = avatar.report().commands.map(({ line }) => line);
    expect(lines).toContain('NOD|3');
    expect(lines.join()).not.toContain('LIPSYNC_START|0|pau');
    avatar.leave();
    serve.child.kill('SIGTERM');
    expect(await serve.exit).toBe(0);
  });

  it('goes with the text of a command that names it, and a broken one is told with its line', async () => {
    const engine = new FakeEngine({ name: 'own' });
    rig = await startService({ say: { engine, voice: 'theirs' } });
    const avatar = await rig.avatar();
    const path = join(folder, 'mine.yaml');
    writeFileSync(path, 'rate: 1.25\ndictionary:\n  TTS: speech\ntags:\n  bow: BOW|x\n');
    const say = await inProcess([
      'say',
      '--port',
      String(rig.port),
      '--config',
      path,
      '--pitch-semitones',
      '2',
      '[bow] TTS.',
    ]);
    expect([say.exit, say.err]).toEqual([0, '']);
    expect(engine.asked).toEqual([
      { text: 'speech.', speech: { voice: 'theirs', rate: 1.25, pitchSemitones: 2 } },
    ]);
    expect(avatar.report().commands.map(({ line }) => line)).toContain('BOW|x');
    writeFileSync(path, 'rate: 1\nvoise: x\n');
    for (const name of ['serve', 'say', 'voices']) {
      const broken = await inProcess([name, '--config', path, ...(name === 'say' ? ['x'] : [])]);
      expect([name, broken.exit]).toEqual([name, 2]);
      expect(broken.err).toContain(`${path}, line 2: there is no 'voise'`);
    }
  });
});

describe('agent.say', () => {
  it('does what tags say where they stand, shows captions, and ends cleanly when interrupted', async () => {
    const bridge = await startBridge();
    const avatar = await joinAvatar(bridge);
    const agent = bridge.agent();
    const speech = agent.say(
      'Good morning. [nod] And now a longer sentence that goes on and on for a while.',
      {
        tags: { nod: 'MOTION_ADD|{model}|nod|nod.vmd' },
        captions: true,
      },
    );
    await until(
      () => avatar.report().commands.some(({ line }) => line === 'MOTION_ADD|0|nod|nod.vmd'),
      'the nod',
    );
    await agent.interrupt();
    expect((await speech.finished).how).toBe('stopped');
    await until(() => avatar.report().commands.at(-1)?.line === 'LIPSYNC_START|0|sil,30', 'the shut mouth');
    const lines = avatar.report().commands.map(({ line }) => line);
    expect(lines.some((line) => line.startsWith('CAPTION_START|') && line.includes('Good morning.'))).toBe(
      true,
    );
    expect(avatar.report().faults).toEqual([]);
  });

  it('takes a user’s own engine and an iterable of pieces', async () => {
    const bridge = await startBridge();
    await joinAvatar(bridge);
    const said: string[] = [];
    const pieces = async function* (): AsyncGenerator<string> {
      yield 'One. ';
      yield 'Two.';
    };
    const wav = Buffer.from('UklGRgAAAABXQVZFZm10IBAAAAABAAEAgD4AAAB9AAACABAAZGF0YQAAAAA=', 'base64');
    const speech = bridge.agent().say(pieces(), {
      engine: async function* (text) {
        said.push(text.trim());
        yield wav;
        yield Buffer.alloc(6400, 1);
      },
    });
    expect((await speech.finished).how).toBe('completed');
    expect(said).toEqual(['One.', 'Two.']);
  });
});

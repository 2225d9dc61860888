import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadBridgeConfig } from '../../src/narration/config-file.js';
import { joinAvatar, startBridge } from '../support/bridge-rig.js';
import { inProject } from '../support/paths.js';

const folder = mkdtempSync(join(tmpdir(), 'bridge-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function file(text: string, name = `bridge-${(count += 1)}.yaml`): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('a configuration', () => {
  it('of the samples is read, with everything that it shows', async () => {
    const config = await loadBridgeConfig(inProject('samples/bridge.yaml'));
    expect(config.options).toMatchObject({ engine: 'auto', fallback: 'espeak', captions: true });
    expect(config.engines).toEqual({
      auto: { voice: 'slt' },
      voicevox: { options: { baseUrl: 'http://127.0.0.1:50021' }, voice: '3' },
      kokoro: { options: { baseUrl: 'http://127.0.0.1:8880' }, voice: 'af_heart' },
      openai: { options: { keyEnv: 'OPENAI_API_KEY', model: 'gpt-4o-mini-tts' }, voice: 'alloy' },
    });
    expect(config.say.tags).toMatchObject({ nod: 'MOTION_ADD|{model}|nod|nod.vmd', sigh: { pauseMs: 700 } });
    expect(config.say.dictionary?.apply('An LLM.')).toBe('An language model.');
  });

  it('takes the options of the service by the names of their flags, and files from beside it', async () => {
    file('WHO = World Health Organization\n', 'words.txt');
    file('bow: MOTION_ADD|0|bow|bow.vmd\n', 'tags.yaml');
    const config = await loadBridgeConfig(
      file(
        'port: 9100\nleadMs: auto\nmaxQueued: 7\ntokenFile: secret.txt\ntags: tags.yaml\ndictionary: words.txt\n',
      ),
    );
    expect(config.options).toEqual({
      ...{ port: 9100, leadMs: 'auto', maxQueued: 7 },
      tokenFile: join(folder, 'secret.txt'),
    });
    expect(config.say.tags).toEqual({ bow: 'MOTION_ADD|0|bow|bow.vmd' });
    expect(config.say.dictionary?.apply('WHO')).toBe('World Health Organization');
  });

  it('is nothing when it is empty', async () => {
    expect(await loadBridgeConfig(file('# nothing\n'))).toMatchObject({ options: {}, engines: {}, say: {} });
  });

  it.each([
    ['engine: auto\nvoise: slt\n', 2, /no 'voise'; did you mean voice\?/],
    ['# a comment\n\nrate: 9\n', 3, /rate cannot be used: it takes 0\.25 to 4/],
    ['engine: nosuch\n', 1, /no engine 'nosuch'; there are auto/],
    ['engines:\n  kokoro:\n    baseURL: http://x\n', 3, /no 'baseURL'.*did you mean baseUrl\?/],
    ['engines:\n  openai: {}\n  nosuch: {}\n', 3, /no engine 'nosuch'/],
    ['engines:\n  openai:\n    apiKey: sk-secret-123\n', 3, /keyEnv names its variable/],
    ['engines:\n  openai:\n    keyEnv: sk_secret_123\n', 3, /the name of an environment variable/],
    ['engine: azure\nengineOptions:\n  region: [1]\n', 3, /azure/],
    ['token: 0123456789abcdef0123secret\n', 1, /secret and does not belong here: name a tokenFile/],
    ['tags:\n  nod: X|y\n  "two words": X\n', 3, /begins with a letter/],
    ['tags:\n  nod:\n    comands: [X]\n', 3, /no 'comands' in tags\.nod/],
    ['tags:\n  nod: 7\n', 2, /a command, a list of commands/],
    ['captions:\n  size: 3\n  colour: red\n', 3, /no 'colour' in captions/],
    ['tags: [a, b\n', 2, /./],
    ['rate: 1\nrate: 2\n', 2, /unique/],
    ['- a list\n', 1, /object/],
  ])('names the file and the line of what is wrong: %j', async (text, line, message) => {
    const path = file(text);
    const error = await loadBridgeConfig(path).then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(error?.message).toContain(`The configuration ${path}, line ${line}: `);
    expect(error?.message).toMatch(message);
    expect(error?.message).not.toMatch(/secret.123|0123456789abcdef/);
  });

  it('names a file that is not there', async () => {
    await expect(loadBridgeConfig(join(folder, 'none.yaml'))).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
    await expect(loadBridgeConfig(file('tags: none.yaml\n'))).rejects.toThrow(/none\.yaml/);
  });
});

describe('the voices for SYNTH_START', () => {
  it('are read by the names that the content uses', async () => {
    const { synthVoices, options } = await loadBridgeConfig(
      file(
        "synth:\n  mei_voice_happy: { engine: voicevox, voice: 1, pitchSemitones: 2 }\n  '*': { rate: 1.5 }\nsynthPlugins: keep\n",
      ),
    );
    expect(synthVoices).toEqual({
      mei_voice_happy: { engine: 'voicevox', voice: '1', pitchSemitones: 2 },
      '*': { rate: 1.5 },
    });
    expect(options).toEqual({ synthPlugins: 'keep' });
  });

  it.each([
    ['synth:\n  mei: { engine: nosuch }\n', /line 2.*there is no engine 'nosuch'/],
    ['synth:\n  mei: { vioce: 1 }\n', /line 2.*there is no 'vioce'/],
    ['synth:\n  mei: { rate: 99 }\n', /line 2.*synth\.mei\.rate/],
    ['synth: yes please\n', /line 1/],
  ])('are checked: %j', async (text, message) => {
    await expect(loadBridgeConfig(file(text))).rejects.toThrow(message);
  });
});

describe('a bridge made of a configuration', () => {
  it('speaks with its voice, and does what its tags say', async () => {
    const { options, engines, say } = await loadBridgeConfig(
      file('engine: flite\nvoice: rms\nlips: avatar\ntags:\n  nod: NOD|{1}\nunknownTags: speak\n'),
    );
    const bridge = await startBridge({ ...options, engines, say });
    expect(bridge.engines.settle({})).toMatchObject({ engine: 'flite', voice: 'rms' });
    // Another engine is not asked for a voice that it cannot have.
    expect(bridge.engines.settle({ engine: 'espeak' }).voice).toBeUndefined();
    const avatar = await joinAvatar(bridge);
    const end = await bridge.agent().say('[nod 7] Yes.').finished;
    expect(end).toMatchObject({ how: 'completed', cuesSent: 1 });
    expect(avatar.report().commands.map(({ line }) => line)).toContain('NOD|7');
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { loadBridgeConfig } from '../../src/narration/config-file.js';
import { command } from '../support/command.js';
import { inProject } from '../support/paths.js';
import { startService, until, type ServiceRig } from '../support/service-rig.js';
import { FakeEngine } from '../support/tts/fake-engine.js';

let rig: ServiceRig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

describe('the samples of a dialogue', () => {
  it('name voices of the table, and speak through the bridge line by line', async () => {
    const { synthVoices, options } = await loadBridgeConfig(inProject('samples/synth.yaml'));
    expect(Object.keys(synthVoices ?? {})).toEqual(['slt_voice', '*']);
    expect(options.synthPlugins).toBe('disable');
    const engine = new FakeEngine();
    rig = await startService({ synthVoices: { slt_voice: { engine }, '*': { engine } } });
    const simulator = command([
      ...['simulator', '--port', String(rig.port)],
      ...['--content', inProject('samples/dialogue.txt')],
    ]);
    await simulator.says(/SYNTH_EVENT_STOP\|0/);
    await rig.ask('POST', '/api/agents/default/commands', { json: { commands: ['KEY|1'] } });
    await until(() => engine.texts.includes('And this is the second.'), 'both sentences of the key');
    const said = engine.texts.join(' ').replace(/\s+/g, ' ');
    expect(said).toBe('Hello. Press one. This is the first sentence. And this is the second.');
    await until(() => rig!.bridge.agent().speeches.length === 0);
    simulator.child.kill('SIGINT');
    await simulator.exit;
  });
});

describe('say --engine avatar', () => {
  it('speaks with the voice of the avatar, and says which plugin to enable where there is none', async () => {
    rig = await startService();
    const avatar = await rig.avatar({ synth: { voices: ['mei_voice_normal'], characterMs: 20 } });
    const spoken: string[] = [];
    avatar.on('synth', ({ text }) => spoken.push(text));
    const port = ['--port', String(rig.port)];
    const said = command(['say', ...port, '--engine', 'avatar', 'こんにちは。元気ですか。']);
    expect(await said.exit, said.err).toBe(0);
    expect(spoken).toEqual(['こんにちは。', '元気ですか。']);
    expect(said.out).toMatch(/こんにちは。元気ですか。: finished: heard/);
    const unknown = command(['say', ...port, '--engine', 'avatar', '--voice', 'nobody', 'Hello.']);
    expect(await unknown.exit).toBe(3);
    expect(unknown.err).toMatch(/'nobody'[^]*Open_JTalk/);
  });
});

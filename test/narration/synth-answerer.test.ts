import { describe, expect, it } from 'vitest';
import type { OpenOptions } from '../../src/bridge.js';
import type { SimulatedAvatar } from '../../src/simulator/index.js';
import { parseContent } from '../../src/simulator/index.js';
import { joinAvatar, startBridge, until } from '../support/bridge-rig.js';
import { FakeEngine } from '../support/tts/fake-engine.js';

const START = 'SYNTH_EVENT_START|0';
const STOP = 'SYNTH_EVENT_STOP|0';

async function rig(options: OpenOptions = {}, avatarOptions: Parameters<typeof joinAvatar>[1] = {}) {
  const engine = new FakeEngine();
  const bridge = await startBridge({ synthVoices: { '*': { engine } }, leadMs: 60, ...options });
  const warnings: string[] = [];
  bridge.agent().on('speech', (speech) => speech.on('warning', (message) => warnings.push(message)));
  const avatar = await joinAvatar(bridge, avatarOptions);
  await avatar.whenReady();
  return { bridge, avatar, engine, warnings, events: () => eventsOf(avatar) };
}

/** The events of speech synthesis that the avatar was sent, in order. */
function eventsOf(avatar: SimulatedAvatar): string[] {
  return avatar
    .report()
    .commands.map(({ line }) => line)
    .filter((line) => line.startsWith('SYNTH_EVENT_'));
}

const atMs = (avatar: SimulatedAvatar, line: string): number =>
  avatar.report().commands.find((command) => command.line === line)!.atMs;

describe('SYNTH_START of an avatar', () => {
  it('is spoken, with one event when it begins to sound and one when it has been heard', async () => {
    const { avatar, engine, events } = await rig();
    avatar.issue('SYNTH_START|0|mei_voice_normal|こんにちは。');
    await until(() => events().includes(STOP));
    expect(engine.texts).toEqual(['こんにちは。']);
    expect(events()).toEqual([START, STOP]);
    const { lastSoundAtMs, samplesHeard, firstSoundAfterMs, faults } = avatar.report();
    expect(samplesHeard).toBeGreaterThan(0);
    expect(faults).toEqual([]);
    // A busy machine may be late, and never early.
    expect(atMs(avatar, STOP)).toBeGreaterThan(lastSoundAtMs! - 30);
    expect(atMs(avatar, STOP)).toBeLessThan(lastSoundAtMs! + 1000);
    expect(atMs(avatar, START)).toBeLessThan(lastSoundAtMs! - 100);
    expect(firstSoundAfterMs).toBeDefined();
  });

  it('takes the voice that the table has for its name, else the one of *', async () => {
    const happy = new FakeEngine();
    const other = new FakeEngine();
    const { avatar, events } = await rig({
      synthVoices: { mei_voice_happy: { engine: happy, voice: '1' }, '*': { engine: other } },
    });
    avatar.issue('SYNTH_START|0|mei_voice_happy|one');
    await until(() => events().length === 2);
    avatar.issue('SYNTH_START|0|someone_else|two');
    await until(() => events().length === 4);
    expect(happy.asked.map(({ text, speech }) => [text, speech.voice])).toEqual([['one', '1']]);
    expect(other.texts).toEqual(['two']);
  });

  it('is replaced by a second one of the same alias: the end of the first comes before the start of the second', async () => {
    const { avatar, engine, events } = await rig();
    avatar.issue(`SYNTH_START|0|mei|${'long '.repeat(40)}`);
    await until(() => events().includes(START));
    avatar.issue('SYNTH_START|0|mei|second');
    await until(() => events().length === 4);
    expect(events()).toEqual([START, STOP, START, STOP]);
    expect(engine.texts.at(-1)).toBe('second');
  });

  it('is stopped by SYNTH_STOP, which does nothing when nothing is spoken', async () => {
    const { avatar, bridge, events } = await rig();
    avatar.issue('SYNTH_STOP|0');
    avatar.issue(`SYNTH_START|0|mei|${'long '.repeat(100)}`);
    await until(() => events().includes(START));
    const [speech] = bridge.agent().speeches;
    avatar.issue('SYNTH_STOP|0');
    await until(() => events().includes(STOP));
    expect(speech!.end?.how).toBe('stopped');
    await until(() => bridge.agent().speeches.length === 0);
    expect(events()).toEqual([START, STOP]);
  });

  it('is answered when its engine fails', async () => {
    const engine = new FakeEngine({ fate: () => 'ENGINE_FAILED' });
    const { avatar, bridge, events } = await rig({ synthVoices: { '*': { engine } } });
    const ends: string[] = [];
    bridge.agent().on('speech', (speech) => speech.on('ended', ({ how }) => ends.push(how)));
    avatar.issue('SYNTH_START|0|mei|hello');
    await until(() => events().length === 2);
    expect(events()).toEqual([START, STOP]);
    expect(ends).toEqual(['failed']);
  });

  it('is answered when the queue of the agent is full', async () => {
    const { avatar, bridge, events } = await rig({ maxQueued: 1 });
    bridge.agent().pause();
    for (let i = 0; i < 3; i += 1) {
      try {
        bridge.agent().speak(new Int16Array(16_000), { sampleRateHz: 16_000 });
      } catch {
        break;
      }
    }
    avatar.issue('SYNTH_START|0|mei|hello');
    await until(() => events().length === 2);
    expect(events()).toEqual([START, STOP]);
  });

  it('is answered when its speech is interrupted by somebody else', async () => {
    const { avatar, bridge, events } = await rig();
    avatar.issue(`SYNTH_START|0|mei|${'long '.repeat(100)}`);
    await until(() => events().includes(START));
    await bridge.agent().interrupt();
    await until(() => events().includes(STOP));
    expect(events()).toEqual([START, STOP]);
  });

  it.each([
    ['in quotes', '"hello there"', ['hello there']],
    ['with a further |, which is not spoken', 'hello|not this', ['hello']],
    ['of dots alone', '...', []],
    ['that is empty', '', []],
    ['of quotes alone', '""', []],
  ])('with a text %s', async (_, text, spoken) => {
    const { avatar, engine, events } = await rig();
    avatar.issue(`SYNTH_START|0|mei|${text}`);
    await until(() => events().length === 2);
    expect(events()).toEqual([START, STOP]);
    expect(engine.texts).toEqual(spoken);
  });

  it('of more bytes than the avatar can tell is spoken as far as it came', async () => {
    const { avatar, engine, events } = await rig();
    avatar.issue(`SYNTH_START|0|mei|${'あ'.repeat(1000)}`);
    await until(() => engine.texts.length > 0);
    expect(engine.texts.join('')).toMatch(/^あ+$/);
    avatar.issue('SYNTH_STOP|0');
    await until(() => events().includes(STOP));
    expect(events()).toEqual([START, STOP]);
  });

  it('without a voice or a text is no request', async () => {
    const { avatar, bridge, events } = await rig();
    avatar.issue('SYNTH_START|0|mei');
    avatar.issue('SYNTH_START|0');
    avatar.issue('SYNTH_START');
    avatar.issue('SYNTH_START||mei|hello');
    avatar.issue('SYNTH_START|0|mei|hello');
    await until(() => events().includes(STOP));
    await until(() => bridge.agent().speeches.length === 0);
    expect(events()).toEqual([START, STOP]);
  });

  it('a hundred times in a second is answered a hundred times in order, and the last is heard', async () => {
    const { avatar, engine, events } = await rig();
    for (let i = 1; i <= 100; i += 1) avatar.issue(`SYNTH_START|0|mei|number ${i}`);
    await until(() => events().length === 200);
    expect(events()).toEqual(Array.from({ length: 100 }, () => [START, STOP]).flat());
    expect(engine.texts.at(-1)).toBe('number 100');
    expect(engine.texts.length).toBeLessThan(5);
    expect(avatar.report().faults).toEqual([]);
  });

  it('for a model that is not there is heard all the same, and moves no lips', async () => {
    const { avatar, events } = await rig();
    avatar.issue('SYNTH_START|nobody|mei|hello');
    await until(() => events().length === 2);
    expect(events()).toEqual(['SYNTH_EVENT_START|nobody', 'SYNTH_EVENT_STOP|nobody']);
    const { samplesHeard, commands } = avatar.report();
    expect(samplesHeard).toBeGreaterThan(0);
    expect(commands.map(({ line }) => line)).toContain('__AVCONF_DISABLEAUTOLIP,ALWAYS');
    expect(commands.map(({ line }) => line)).not.toContain('__AV_SETMODEL,nobody');
  });

  it('for a second model is spoken on that model', async () => {
    const { avatar, events } = await rig();
    avatar.issue('MODEL_ADD|second|second.pmd');
    avatar.issue('SYNTH_START|second|mei|hello');
    await until(() => events().length === 2);
    expect(events()).toEqual(['SYNTH_EVENT_START|second', 'SYNTH_EVENT_STOP|second']);
    expect(avatar.report().commands.map(({ line }) => line)).toContain('__AV_SETMODEL,second');
  });

  it('of the bridge’s own is not answered, and one of a relayed program is', async () => {
    const { avatar, bridge, engine, events } = await rig();
    await bridge.agent().send('SYNTH_START|0|mei|from here');
    await bridge.agent().send('SYNTH_START|0|mei|from a program', { relayed: true });
    await until(() => events().length === 2);
    expect(engine.texts).toEqual(['from a program']);
    expect(avatar.report().faults).toEqual([]);
  });
});

describe('the avatar’s own plugins', () => {
  it('are stopped and then switched off when it connects', async () => {
    const { avatar } = await rig();
    await until(() => avatar.report().commandCount >= 3);
    const lines = avatar.report().commands.map(({ line }) => line);
    const at = ['SYNTH_STOP|0', 'PLUGIN_DISABLE|Open_JTalk', 'PLUGIN_DISABLE|Flite_plus_hts_engine'].map(
      (line) => lines.indexOf(line),
    );
    expect(at).not.toContain(-1);
    expect(at).toEqual([...at].sort((a, b) => a - b));
  });

  it('do not speak beside the bridge', async () => {
    const { avatar, events } = await rig({}, { synth: { voices: ['mei'] } });
    const spoken: string[] = [];
    avatar.on('synth', ({ text }) => spoken.push(text));
    await until(() => avatar.report().commands.some(({ line }) => line.startsWith('PLUGIN_DISABLE|Flite')));
    avatar.issue('SYNTH_START|0|mei|hello');
    await until(() => events().length === 2);
    expect(spoken).toEqual([]);
  });

  it('speak the voices that the table lacks when they are kept', async () => {
    const engine = new FakeEngine();
    const { avatar, events } = await rig(
      { synthVoices: { zundamon: { engine } }, synthPlugins: 'keep' },
      { synth: { voices: ['mei'] } },
    );
    const spoken: string[] = [];
    avatar.on('synth', ({ text }) => spoken.push(text));
    avatar.issue('SYNTH_START|0|mei|by the plugin');
    await until(() => spoken.length === 1);
    avatar.issue('SYNTH_START|0|zundamon|by the bridge');
    await until(() => events().length === 2);
    expect(engine.texts).toEqual(['by the bridge']);
    expect(spoken).toEqual(['by the plugin']);
    expect(avatar.report().commands.map(({ line }) => line)).not.toContain('PLUGIN_DISABLE|Open_JTalk');
  });
});

describe('a dialogue content', () => {
  it('goes on through its lines, each when the one before has been spoken', async () => {
    const content = parseContent(
      `KEY|1 -> SYNTH_START|0|mei|first -> ${STOP} -> SYNTH_START|0|mei|second -> ${STOP} -> MOTION_ADD|0|bow|bow.vmd`,
      'dialogue',
    );
    const { avatar, bridge, engine } = await rig({}, { content });
    const said: string[] = [];
    bridge.agent().on('message', ({ text }) => said.push(text));
    avatar.issue('KEY|1');
    await until(() => said.includes('MOTION_EVENT_ADD|0|bow'));
    expect(engine.texts).toEqual(['first', 'second']);
    expect(said.filter((text) => text === STOP)).toHaveLength(2);
  });
});

it('nothing is answered unless it is asked for', async () => {
  const bridge = await startBridge();
  const avatar = await joinAvatar(bridge);
  await avatar.whenReady();
  avatar.issue('SYNTH_START|0|mei|hello');
  await bridge.agent().speak(new Int16Array(1600), { sampleRateHz: 16_000 }).finished;
  expect(eventsOf(avatar)).toEqual([]);
  expect(avatar.report().commands.map(({ line }) => line)).not.toContain('PLUGIN_DISABLE|Open_JTalk');
});

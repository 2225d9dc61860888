import { describe, expect, it } from 'vitest';
import type { OpenOptions } from '../../src/bridge.js';
import type { SpokenSentence } from '../../src/speech/speech.js';
import { joinAvatar, startBridge, until } from '../support/bridge-rig.js';
import { ramp } from '../support/speech-rig.js';

const voice = { engine: 'avatar', voice: 'mei' };

async function rig(options: OpenOptions = {}, voices: string[] = ['mei']) {
  const bridge = await startBridge({ leadMs: 60, ...options });
  const avatar = await joinAvatar(bridge, { synth: { voices, characterMs: 20 } });
  await avatar.whenReady();
  const spoken: string[] = [];
  avatar.on('synth', ({ text }) => spoken.push(text));
  const lines = (): string[] => avatar.report().commands.map(({ line }) => line);
  return { bridge, agent: bridge.agent(), avatar, spoken, lines };
}

describe('the avatar’s own voice', () => {
  it('speaks sentence by sentence, each when the one before has been heard', async () => {
    const { agent, avatar, spoken, lines } = await rig();
    const sentences: SpokenSentence[] = [];
    const speech = agent.say('こんにちは、みなさん。今日はよい天気です。', voice);
    speech.on('sentence', (sentence) => sentences.push(sentence));
    expect(await speech.started).toBe(true);
    const end = await speech.finished;
    expect(end).toMatchObject({ how: 'completed', error: undefined });
    expect(end.heardMs).toBeGreaterThan(300);
    expect(spoken).toEqual(['こんにちは、みなさん。', '今日はよい天気です。']);
    expect(lines().filter((line) => line.startsWith('SYNTH'))).toEqual([
      'SYNTH_START|0|mei|こんにちは、みなさん。',
      'SYNTH_START|0|mei|今日はよい天気です。',
    ]);
    expect(avatar.report().samplesReceived).toBe(0);
    expect(sentences.map(({ index, text, state }) => [index, text, state])).toEqual([
      [0, 'こんにちは、みなさん。', 'begun'],
      [0, 'こんにちは、みなさん。', 'heard'],
      [1, '今日はよい天気です。', 'begun'],
      [1, '今日はよい天気です。', 'heard'],
    ]);
    expect(sentences[1]!.endMs!).toBeGreaterThan(sentences[1]!.startMs);
    expect(sentences[2]!.startMs).toBeGreaterThanOrEqual(sentences[1]!.endMs!);
  });

  it('takes its turn among sounds: what comes after it waits until it has been heard', async () => {
    const { agent, avatar } = await rig();
    const before = agent.speak(ramp(3200), { sampleRateHz: 16_000 });
    const own = agent.say('In the middle of it.', voice);
    const after = agent.speak(ramp(3200), { sampleRateHz: 16_000 });
    const order: string[] = [];
    avatar.on('audio', () => order.push('sound'));
    avatar.on('synth', () => order.push('own'));
    expect(agent.speeches).toEqual([before, own, after]);
    const ends = await Promise.all([before.finished, own.finished, after.finished]);
    expect(ends.map(({ how }) => how)).toEqual(['completed', 'completed', 'completed']);
    expect(order.filter((what, index) => what !== order[index - 1])).toEqual(['sound', 'own', 'sound']);
  });

  it('falls silent by SYNTH_STOP when it is stopped, and the next speech follows', async () => {
    const { agent, spoken, lines } = await rig();
    const speech = agent.say(`${'a long sentence '.repeat(12)}. And another one.`, voice);
    const sentences: SpokenSentence[] = [];
    speech.on('sentence', (sentence) => sentences.push(sentence));
    await speech.started;
    const next = agent.say('Next.', voice);
    const end = await speech.stop();
    expect(end).toMatchObject({ how: 'stopped', error: { code: 'SPEECH_STOPPED' } });
    expect(end.heardMs).toBeGreaterThan(0);
    expect(sentences.at(-1)).toMatchObject({ index: 0, state: 'cut' });
    expect(lines()).toContain('SYNTH_STOP|0');
    expect(await next.finished).toMatchObject({ how: 'completed' });
    expect(spoken).toHaveLength(2);
  });

  it('is interrupted by another speech', async () => {
    const { agent, lines } = await rig();
    const speech = agent.say('a long sentence '.repeat(12), voice);
    await speech.started;
    const next = agent.speak(ramp(1600), { sampleRateHz: 16_000, when: 'interrupt' });
    expect(await speech.finished).toMatchObject({ how: 'stopped' });
    expect(await next.finished).toMatchObject({ how: 'completed' });
    expect(lines()).toContain('SYNTH_STOP|0');
  });

  it('of a name that no plugin knows fails and says which plugin to enable', async () => {
    const { agent } = await rig();
    const speech = agent.say('Hello.', { engine: 'avatar', voice: 'nobody' });
    const next = agent.say('Hello.', voice);
    const { how, error, heardMs } = await speech.finished;
    expect({ how, code: error?.code, heardMs }).toEqual({ how: 'failed', code: 'VOICE_UNKNOWN', heardMs: 0 });
    expect(error?.message).toContain("'nobody'");
    expect(error?.advice).toContain('Open_JTalk');
    expect(await next.finished).toMatchObject({ how: 'completed' });
  });

  it('of a text without a word fails, and says so', async () => {
    const { agent } = await rig();
    expect((await agent.say('…!', voice).finished).error?.code).toBe('TEXT_EMPTY');
  });

  it('says while the text is being written, and stops the writer when it is stopped', async () => {
    const { agent, spoken } = await rig();
    let returned = false;
    async function* text(): AsyncGenerator<string> {
      try {
        yield 'First sentence. ';
        await until(() => spoken.length === 1);
        for (;;) yield 'Another sentence. ';
      } finally {
        returned = true;
      }
    }
    const speech = agent.say(text(), voice);
    await until(() => spoken.length === 2);
    await speech.stop();
    await until(() => returned);
  });

  it('shows captions and does what tags say with each sentence', async () => {
    const { agent, lines } = await rig();
    const end = await agent.say('One [nod] two. [pause 50] Three.', {
      ...voice,
      captions: true,
      tags: { nod: 'MOTION_ADD|{model}|nod|nod.vmd' },
      cues: [
        { atMs: 10, send: 'HELLO|early' },
        { atMs: -1, send: 'HELLO|end' },
      ],
    }).finished;
    expect(end).toMatchObject({ how: 'completed', cuesSent: 2 });
    await until(() => lines().includes('HELLO|end'));
    const told = lines().filter((line) => /^(SYNTH_START|MOTION|HELLO)/.test(line));
    expect(told[0]).toMatch(/^SYNTH_START\|0\|mei\|One\s+two\.$/);
    expect(told.slice(1, 3).sort()).toEqual(['HELLO|early', 'MOTION_ADD|0|nod|nod.vmd']);
    expect(told.slice(3)).toEqual(['SYNTH_START|0|mei|Three.', 'HELLO|end']);
    expect(lines().filter((line) => line.startsWith('CAPTION_START'))).toHaveLength(2);
    expect(lines()).toContain('CAPTION_STOP|bridge_caption');
  });

  it('ends as lost when the avatar is lost', async () => {
    const { agent, avatar } = await rig();
    const speech = agent.say('a long sentence '.repeat(12), voice);
    await speech.started;
    avatar.leave();
    expect(await speech.finished).toMatchObject({ how: 'avatar-lost', error: { code: 'AGENT_LOST' } });
    expect(agent.speeches).toEqual([]);
  });

  it('is paused at the end of a sentence', async () => {
    const { agent, spoken } = await rig();
    const speech = agent.say('First sentence. Second sentence.', voice);
    await speech.started;
    agent.pause();
    await until(() => speech.state === 'paused');
    expect(spoken).toEqual(['First sentence.']);
    agent.resume();
    expect(await speech.finished).toMatchObject({ how: 'completed' });
    expect(spoken).toHaveLength(2);
  });

  it('of several avatars speaks the same text on each', async () => {
    const bridge = await startBridge();
    const synth = { voices: ['mei'], characterMs: 20 };
    const avatars = await Promise.all(['a', 'b'].map((name) => joinAvatar(bridge, { name, synth })));
    const spoken = avatars.map((avatar) => {
      const texts: string[] = [];
      avatar.on('synth', ({ text }) => texts.push(text));
      return texts;
    });
    await Promise.all(avatars.map((avatar) => avatar.whenReady()));
    async function* text(): AsyncGenerator<string> {
      yield 'One sentence. ';
      yield 'And another.';
    }
    const ends = await bridge.group(['a', 'b']).say(text(), voice).finished;
    expect([...ends.values()].map(({ how }) => how)).toEqual(['completed', 'completed']);
    expect(spoken).toEqual([
      ['One sentence.', 'And another.'],
      ['One sentence.', 'And another.'],
    ]);
  });

  it('cannot be a fallback, nor answer the avatar itself', async () => {
    const { agent } = await rig();
    expect(() => agent.say('Hello.', { fallback: 'avatar' })).toThrow(/cannot be a fallback/);
    await expect(startBridge({ synthVoices: { '*': { engine: 'avatar' } } })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    await expect(startBridge({ answerSynth: true, engine: 'avatar' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
  });
});

import { describe, expect, it } from 'vitest';
import { firstWords, labelled } from '../../src/narration/label.js';
import type { SpokenSentence } from '../../src/speech/speech.js';
import { joinAvatar, startBridge, until } from '../support/bridge-rig.js';
import { FakeEngine } from '../support/tts/fake-engine.js';

async function rig() {
  const bridge = await startBridge({ leadMs: 60 });
  const avatar = await joinAvatar(bridge);
  await avatar.whenReady();
  return bridge.agent();
}

describe('the sentences of a spoken text', () => {
  it('are told as they are heard: each when it begins and when it is over', async () => {
    const agent = await rig();
    const engine = new FakeEngine();
    const speech = agent.say('One two three. [pause 200] Four five.', { engine });
    const told: (SpokenSentence & { positionMs: number })[] = [];
    speech.on('sentence', (sentence) => told.push({ ...sentence, positionMs: speech.positionMs }));
    let toldAtEnd = 0;
    speech.on('ended', () => (toldAtEnd = told.length));
    await speech.finished;
    expect(told.map(({ index, text, state }) => [index, text, state])).toEqual([
      [0, 'One two three.', 'begun'],
      [0, 'One two three.', 'heard'],
      [1, 'Four five.', 'begun'],
      [1, 'Four five.', 'heard'],
    ]);
    expect(toldAtEnd).toBe(4);
    const [, first, , second] = told;
    expect(first!.startMs).toBe(0);
    expect(second!.startMs - first!.endMs!).toBeCloseTo(200, 0);
    expect(second!.endMs).toBeCloseTo(speech.end!.durationMs!, 0);
    // Told when a command would be sent that takes effect at that moment: a little before it sounds.
    for (const { startMs, endMs, positionMs } of told)
      expect(positionMs).toBeGreaterThanOrEqual((endMs ?? startMs) - 100);
  });

  it('that is cut off is told as cut, before the end of the speech', async () => {
    const agent = await rig();
    const speech = agent.say(`${'long '.repeat(100)}.`, { engine: new FakeEngine() });
    const told: SpokenSentence[] = [];
    speech.on('sentence', (sentence) => told.push(sentence));
    let toldAtEnd = 0;
    speech.on('ended', () => (toldAtEnd = told.length));
    await until(() => told.length === 1);
    const end = await speech.stop();
    expect(told[1]).toMatchObject({ index: 0, state: 'cut', endMs: end.heardMs });
    expect(toldAtEnd).toBe(2);
    expect(end).toMatchObject({ cuesSent: 0, cuesDropped: 0 });
  });
});

describe('a speech of a text', () => {
  it('has the first words as its label, also while the text is being written', async () => {
    const agent = await rig();
    const engine = new FakeEngine();
    expect(agent.say('Good morning, everybody.', { engine }).label).toBe('Good morning, everybody.');
    expect(agent.say('Hi.', { engine, label: 'greeting' }).label).toBe('greeting');
    async function* text(): AsyncGenerator<string> {
      yield '今日は';
      yield 'よい天気です。';
    }
    const speech = agent.say(text(), { engine });
    expect(speech.label).toBe('a text');
    await speech.finished;
    expect(speech.label).toBe('今日はよい天気です。');
  });

  it('has a label of one short line', () => {
    expect(firstWords('  a\n\tb  ')).toBe('a b');
    expect(firstWords('\u0007')).toBe('a text');
    expect(firstWords('word '.repeat(50))).toBe('word word word word word word word word…');
    expect(firstWords('あ'.repeat(100))).toBe(`${'あ'.repeat(40)}…`);
    expect(firstWords('👨‍👩‍👧‍👦'.repeat(100))).toBe(`${'👨‍👩‍👧‍👦'.repeat(40)}…`);
  });

  it('keeps tags between the pieces of its text', async () => {
    const tag = { name: 'nod', args: [], commands: ['NOD'], pauseMs: 0 };
    async function* text() {
      yield 'a';
      yield tag;
    }
    const { text: pieces } = labelled(text());
    const seen: unknown[] = [];
    for await (const piece of pieces) seen.push(piece);
    expect(seen).toEqual(['a', tag]);
  });
});

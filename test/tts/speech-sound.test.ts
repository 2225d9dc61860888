import { describe, expect, it } from 'vitest';
import { delay } from '../../src/base/clock.js';
import { speechSound } from '../../src/tts/speech-sound.js';
import { blockMs } from '../../src/tts/synthesis-job.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { listen, type Listening } from '../support/tts/listen.js';
import { speechMs } from '../support/tts/sound.js';

/** A writer at a steady pace. */
async function* tokens(clock: FakeClock, list: readonly string[], gapMs: number): AsyncGenerator<string> {
  for (const token of list) {
    await delay(clock, gapMs);
    yield token;
  }
}

const text = 'One sentence. A second one, longer. Three! ';
const lengths = ['One sentence.', 'A second one, longer.', 'Three!'].map(speechMs);

describe('speechSound', () => {
  it('speaks the segments in order, each announced at its place in the sound', async () => {
    const engine = new FakeEngine();
    const sound = speechSound(text, { engine, label: 'a test' });
    const heard = listen(sound);
    expect(await heard.done).toBeUndefined();
    expect(engine.texts).toEqual(['One sentence.', 'A second one, longer.', 'Three!']);
    expect(
      heard.segments.map(({ index, text: written, said, startMs, durationMs, engine: name }) => ({
        index,
        written,
        said,
        startMs,
        durationMs,
        name,
      })),
    ).toEqual([
      {
        index: 0,
        written: 'One sentence. ',
        said: 'One sentence.',
        startMs: 0,
        durationMs: lengths[0],
        name: 'fake',
      },
      {
        index: 1,
        written: 'A second one, longer. ',
        said: 'A second one, longer.',
        startMs: lengths[0],
        durationMs: lengths[1],
        name: 'fake',
      },
      {
        index: 2,
        written: 'Three! ',
        said: 'Three!',
        startMs: lengths[0]! + lengths[1]!,
        durationMs: lengths[2],
        name: 'fake',
      },
    ]);
    expect(heard.ms).toBe(lengths.reduce((sum, ms) => sum + ms));
    expect(heard.infos).toHaveLength(1);
    expect(heard.warnings).toEqual([]);
    expect(sound.report).toEqual({
      segments: 3,
      spoken: 3,
      skipped: 0,
      cutOff: 0,
      retries: 0,
      fallbacks: 0,
      droppedTags: 0,
    });
    expect([sound.label, sound.live, engine.prepared]).toEqual(['a test', false, 1]);
  });

  it('sounds while the text is still being written', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine({ clock, latencyMs: 300 });
    // 20 tokens a second: the first sentence is certain after the fourth.
    const words = [
      'Hello',
      ' there',
      '.',
      ' This',
      ' is',
      ' a',
      ' text',
      ' that',
      ' goes',
      ' on',
      ' for',
      ' long',
      '.',
      ' End',
      '.',
    ];
    const heard = listen(speechSound(tokens(clock, words, 50), { engine, clock }));
    await clock.advance(200 + 299);
    expect(heard.ms).toBe(0);
    await clock.advance(1);
    expect(heard.ms).toBe(speechMs('Hello there.'));
    expect(heard.segments[0]!.text).toBe('Hello there. ');
    await clock.advance(1000);
    expect(await heard.done).toBeUndefined();
    expect(heard.segments.map((segment) => segment.text).join('')).toBe(words.join(''));
    expect(clock.pendingTimers).toBe(0);
  });

  it('synthesises side by side as far as the engine says, and plays in order whoever is first', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine({
      clock,
      latencyMs: 100,
      capabilities: { parallel: 3 },
      fate: () => undefined,
    });
    const heard = listen(
      speechSound('One. Two. Three. Four. Five. ', { engine, clock, maxAheadSegments: 10 }),
    );
    await clock.advance(0);
    expect(engine.active).toBe(3);
    await clock.advance(1000);
    await heard.done;
    expect(engine.maxActive).toBe(3);
    expect(heard.segments.map(({ said }) => said)).toEqual(['One.', 'Two.', 'Three.', 'Four.', 'Five.']);
  });

  it('asks for no more than the bound ahead of what is heard, and pulls no more text', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine({ capabilities: { parallel: 8 } });
    let written = 0;
    const writer = (async function* () {
      for (; written < 100; written++) yield `Sentence ${written}. `;
    })();
    let release: () => void = () => undefined;
    const heard = listen(
      speechSound(writer, { engine, clock, maxAheadSegments: 2 }),
      () => new Promise((resolve) => (release = resolve)),
    );
    await clock.advance(50);
    expect(engine.texts).toHaveLength(3);
    expect(written).toBeLessThan(8);
    release();
    await clock.advance(50);
    expect(engine.texts).toHaveLength(4);
    heard.abort.abort(new Error('enough'));
    release();
    await heard.done;
  });

  it('begins no further segment while enough sound waits', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine();
    let release: () => void = () => undefined;
    const sound = speechSound('This is quite a long sentence. '.repeat(20), {
      engine,
      clock,
      maxAheadSegments: 20,
      maxAheadMs: 4000,
    });
    const heard = listen(sound, () => new Promise((resolve) => (release = resolve)));
    await clock.advance(50);
    // 1,800 ms each: three of them make 4,000.
    expect(engine.texts.length).toBeLessThanOrEqual(5);
    heard.abort.abort(new Error('enough'));
    release();
    await heard.done;
  });

  it('gives every request up at once when it is aborted, also while it waits for the writer', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine({ clock, latencyMs: 1000, capabilities: { parallel: 2 } });
    let returned = false;
    const writer = (async function* () {
      try {
        yield 'One. Two. Three. ';
        await delay(clock, 60_000);
      } finally {
        returned = true;
      }
    })();
    const heard = listen(speechSound(writer, { engine, clock }));
    await clock.advance(100);
    expect(engine.active).toBe(2);
    heard.abort.abort(new Error('enough'));
    expect(await heard.done).toMatchObject({ message: 'enough' });
    await clock.advance(0);
    expect([engine.active, engine.aborted, engine.texts.length]).toEqual([0, 2, 2]);
    await clock.advance(60_000);
    expect(returned).toBe(true);
  });

  it('gives every request up when who takes the sound stops', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine({ clock, pieces: { count: 10, gapMs: 10 } });
    const context = { signal: new AbortController().signal, info: () => undefined, warn: () => undefined };
    const blocks = speechSound(text, { engine, clock }).open(context)[Symbol.asyncIterator]();
    const first = blocks.next();
    await clock.advance(20);
    await first;
    await blocks.return!();
    await clock.advance(100);
    expect([engine.active, engine.aborted]).toEqual([0, 1]);
  });

  it('streams: the first block comes with the first piece of the engine', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine({ clock, pieces: { count: 10, gapMs: 100 } });
    const heard = listen(speechSound('A long sentence that streams.', { engine, clock }));
    await clock.advance(100);
    expect(heard.ms).toBeGreaterThan(0);
    expect(heard.segments[0]!.durationMs).toBeUndefined();
    await clock.advance(1000);
    expect(await heard.done).toBeUndefined();
  });

  it('goes gapless from segment to segment while the engine keeps up', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine({ clock, latencyMs: 300 });
    const sentences = Array.from({ length: 8 }, (_, i) => `This is sentence number ${i} of the text. `);
    let starvedMs = 0;
    const lastBlockMs = (): number => blockMs(heard.blocks.at(-1)!);
    // A player that needs each block when the one before it has been heard.
    let endMs = 0;
    const player = async (): Promise<void> => {
      const nowMs = clock.nowMs();
      if (endMs > 0) starvedMs += Math.max(0, nowMs - endMs);
      endMs = Math.max(nowMs, endMs) + lastBlockMs();
      await delay(clock, Math.max(0, endMs - 1 - nowMs));
    };
    const heard: Listening = listen(
      speechSound(tokens(clock, sentences.join('').split(/(?<= )/), 50), { engine, clock }),
      player,
    );
    await clock.advance(60_000);
    expect(await heard.done).toBeUndefined();
    expect(heard.segments).toHaveLength(8);
    expect(starvedMs).toBe(0);
  });
});

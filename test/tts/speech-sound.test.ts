import { describe, expect, it } from 'vitest';
import { createConverter } from '../../src/audio/convert.js';
import { delay, systemClock } from '../../src/base/clock.js';
import { Dictionary } from '../../src/tts/dictionary.js';
import { speechSound } from '../../src/tts/speech-sound.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { listen, type Listening } from '../support/tts/listen.js';
import { blockMs } from '../../src/tts/synthesis-job.js';
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

describe('speechSound when an engine fails', () => {
  const options = { retryDelayMs: 10, clock: systemClock };

  it('tries a segment again, and says nothing of what passed', async () => {
    const engine = new FakeEngine({
      fate: (said, attempt) => (said.startsWith('A second') && attempt === 1 ? 'ENGINE_FAILED' : undefined),
    });
    const sound = speechSound(text, { engine, ...options });
    const heard = listen(sound);
    expect(await heard.done).toBeUndefined();
    expect(sound.report).toMatchObject({ spoken: 3, retries: 1, skipped: 0 });
    expect(heard.warnings).toEqual([]);
  });

  it('gives a segment to the fallback with its own voice, warns, and comes back', async () => {
    const engine = new FakeEngine({
      fate: (said) => (said.startsWith('A second') ? 'ENGINE_FAILED' : undefined),
    });
    const fallback = new FakeEngine({ name: 'spare' });
    const sound = speechSound(text, {
      engine,
      speech: { voice: 'a' },
      fallback: { engine: fallback, speech: { voice: 'b' } },
      ...options,
    });
    const heard = listen(sound);
    expect(await heard.done).toBeUndefined();
    expect(heard.segments.map(({ engine: name }) => name)).toEqual(['fake', 'spare', 'fake']);
    expect(fallback.asked).toEqual([{ text: 'A second one, longer.', speech: { voice: 'b' } }]);
    expect(heard.warnings).toEqual([
      expect.stringMatching(/The engine spare speaks a sentence: The engine fake failed/),
    ]);
    expect(sound.report).toMatchObject({ spoken: 3, fallbacks: 1, retries: 1 });
  });

  it('leaves the rest to the fallback when the engine is not there at all', async () => {
    const engine = new FakeEngine({ fate: () => 'ENGINE_DENIED' });
    const fallback = new FakeEngine({ name: 'spare' });
    const heard = listen(
      speechSound('One. Two. Three. Four. Five. Six. Seven. ', {
        engine,
        fallback: { engine: fallback, speech: {} },
        ...options,
      }),
    );
    expect(await heard.done).toBeUndefined();
    expect(heard.segments).toHaveLength(7);
    expect(engine.texts.length).toBeLessThanOrEqual(4);
    expect(heard.warnings[0]).toMatch(/spare speaks the rest of the text/);
    expect(heard.warnings).toHaveLength(1);
  });

  it('reports a segment that nobody can speak, skips it and goes on', async () => {
    const engine = new FakeEngine({
      fate: (said) => (said.startsWith('A second') ? 'ENGINE_FAILED' : undefined),
    });
    const sound = speechSound(text, { engine, ...options });
    const heard = listen(sound);
    expect(await heard.done).toBeUndefined();
    expect(heard.skipped).toEqual(['A second one, longer. ']);
    expect(heard.warnings).toEqual([
      "'A second one, longer.' was not spoken: The engine fake failed with ENGINE_FAILED.",
    ]);
    expect(heard.segments.map(({ index, startMs }) => [index, startMs])).toEqual([
      [0, 0],
      [2, lengths[0]],
    ]);
    expect(sound.report).toMatchObject({ segments: 3, spoken: 2, skipped: 1 });
  });

  it('ends with the error when nothing could be spoken, at once when it cannot get better', async () => {
    const failing = listen(
      speechSound('One. Two.', { engine: new FakeEngine({ fate: () => 'ENGINE_FAILED' }), ...options }),
    );
    expect(await failing.done).toMatchObject({ code: 'ENGINE_FAILED' });
    const engine = new FakeEngine({ fate: () => 'ENGINE_UNREACHABLE' });
    const hopeless = listen(
      speechSound('One. Two. Three. Four. Five. Six.', { engine, ...options, retries: 0, maxFailures: 100 }),
    );
    expect(await hopeless.done).toMatchObject({ code: 'ENGINE_UNREACHABLE' });
    expect(hopeless.skipped).toHaveLength(1);
  });

  it('ends after too many failures in a row', async () => {
    const engine = new FakeEngine({ fate: (said) => (said === 'One.' ? undefined : 'ENGINE_TIMEOUT') });
    const heard = listen(
      speechSound('One. Two. Three. Four. Five. Six.', { engine, ...options, retries: 0 }),
    );
    expect(await heard.done).toMatchObject({ code: 'ENGINE_TIMEOUT' });
    expect(heard.skipped).toHaveLength(3);
  });

  it('does not say words twice when an engine breaks off in mid-utterance: it says so and goes on', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine({
      clock,
      pieces: { count: 4, gapMs: 5 },
      fate: (said) => (said.startsWith('A second') ? 2 : undefined),
    });
    const fallback = new FakeEngine({ name: 'spare' });
    const sound = speechSound(text, { engine, fallback: { engine: fallback, speech: {} }, clock });
    const heard = listen(sound);
    await clock.advance(1000);
    expect(await heard.done).toBeUndefined();
    // The sentence was synthesised ahead, while the first was taken: none of it had been heard, so it is begun anew.
    expect(sound.report.spoken + sound.report.cutOff).toBe(3);
    const expected = sound.report.cutOff === 1 ? lengths[1]! / 2 : lengths[1]!;
    expect(heard.ms).toBeCloseTo(lengths[0]! + expected + lengths[2]!, 0);
    expect(heard.warnings).toHaveLength(1);
  });

  it('counts the sound that came of a segment that broke off', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine({ clock, pieces: { count: 4, gapMs: 5 }, fate: () => 2 });
    const sound = speechSound('A sentence. ', { engine, clock });
    const heard = listen(sound);
    await clock.advance(1000);
    expect(await heard.done).toBeUndefined();
    expect(sound.report).toMatchObject({ cutOff: 1, spoken: 0, retries: 0 });
    expect(heard.warnings).toEqual([
      `'A sentence.' was cut off after ${speechMs('A sentence.') / 2} ms: The engine fake broke off.`,
    ]);
  });

  it('passes on what the writer throws, after all that was written', async () => {
    const writer = (async function* () {
      yield 'One. Two. Th';
      throw new Error('the writer broke');
    })();
    const heard = listen(speechSound(writer, { engine: new FakeEngine(), ...options }));
    expect(await heard.done).toMatchObject({ message: 'the writer broke' });
    expect(heard.segments.map(({ said }) => said)).toEqual(['One.', 'Two.']);
  });

  it.each(['', '   \n ', '...', '😊 — !', '---'])(
    'says that there is nothing to say in %j',
    async (empty) => {
      const engine = new FakeEngine();
      expect(await listen(speechSound(empty, { engine, ...options })).done).toMatchObject({
        code: 'TEXT_EMPTY',
      });
      expect(engine.asked).toEqual([]);
    },
  );
});

describe('speechSound and what stands in the text', () => {
  it('speaks without Markdown and emoji, by the dictionary, and tells the text as it was written', async () => {
    const engine = new FakeEngine();
    const dictionary = new Dictionary([['AI', 'A. I.']]);
    const heard = listen(speechSound('**AI** is fun 😊. ', { engine, dictionary }));
    await heard.done;
    expect(heard.segments.map(({ text: written, said }) => [written, said])).toEqual([
      ['**AI** is fun 😊. ', 'A. I. is fun .'],
    ]);
    const plain = new FakeEngine();
    await listen(speechSound('**AI** is', { engine: plain, verbatim: true })).done;
    expect(plain.texts).toEqual(['**AI** is']);
  });

  it('warns once of what was asked for and the engine cannot do', async () => {
    const engine = new FakeEngine({ capabilities: { lacks: ['rate', 'pitchSemitones'] } });
    const heard = listen(speechSound(text, { engine, speech: { pitchSemitones: 2, volume: 1 } }));
    await heard.done;
    expect(heard.warnings).toEqual([
      'The engine fake cannot change its pitch; it is left as the voice has it.',
    ]);
  });

  it('hands the engine no more than it takes at once', async () => {
    const engine = new FakeEngine({ capabilities: { maxChars: 40 } });
    const long = 'word '.repeat(60).trim();
    const heard = listen(speechSound(long, { engine }));
    await heard.done;
    expect(Math.max(...engine.texts.map((said) => said.length))).toBeLessThanOrEqual(40);
    expect(heard.segments.map((segment) => segment.text).join('')).toBe(long);
  });

  it('makes tags into marks at their place as it is heard', async () => {
    const tags = { smile: 'SMILE|{model}', nod: 'NOD' };
    const heard = listen(
      speechSound('[smile]Abcd [nod]efgh. Second one.[nod]', {
        engine: new FakeEngine(),
        tags,
        tagVariables: { model: 'mei' },
      }),
    );
    await heard.done;
    const first = speechMs('Abcd efgh.');
    expect(heard.marks.map(({ name }) => name)).toEqual(['smile', 'nod', 'nod']);
    expect(heard.marks[0]).toMatchObject({ commands: ['SMILE|mei'], atMs: 0 });
    // After five of the eleven characters of the segment, the blank at its end included.
    expect(heard.marks[1]!.atMs).toBeCloseTo((first * 5) / 11, 0);
    expect(heard.marks[2]!.atMs).toBe(heard.ms);
    // All are told before the sound that they stand in is taken.
    for (const { atMs, toldAtMs } of heard.marks) expect(toldAtMs).toBeLessThanOrEqual(atMs);
    expect(heard.segments.map(({ said }) => said)).toEqual(['Abcd efgh.', 'Second one.']);
  });

  it('tells a mark of a streamed segment about when its place is reached, and never after the segment', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine({ clock, pieces: { count: 20, gapMs: 1 } });
    const heard = listen(
      speechSound('Abcdefghij [nod]klmnopqrst uvw[nod]. ', { engine, clock, tags: { nod: 'NOD' } }),
    );
    await clock.advance(1000);
    await heard.done;
    expect(heard.marks).toHaveLength(2);
    expect(heard.marks[0]!.atMs).toBeCloseTo(11 * 65, 0);
    expect(heard.marks[0]!.toldAtMs).toBeLessThanOrEqual(heard.marks[0]!.atMs);
    expect(heard.marks[1]!.atMs).toBeLessThanOrEqual(heard.ms);
  });

  it('is silent for a pause where it stands, and breaks the segment there', async () => {
    const heard = listen(speechSound('One [pause 450] two. [pause 50]', { engine: new FakeEngine() }));
    await heard.done;
    expect(heard.segments.map(({ said }) => said)).toEqual(['One', 'two.']);
    const one = speechMs('One');
    expect(heard.segments[1]!.startMs).toBe(one + 450);
    expect(heard.ms).toBe(one + 450 + speechMs('two.') + 50);
    const silent = heard.blocks.filter(({ samples }) => samples.every((sample) => sample === 0));
    expect(silent.reduce((sum, { samples }) => sum + samples.length, 0)).toBe(500 * 16);
  });

  it('does what tags say also where there is nothing to speak', async () => {
    const heard = listen(
      speechSound('[nod][pause 100][nod]', { engine: new FakeEngine(), tags: { nod: 'NOD' } }),
    );
    expect(await heard.done).toBeUndefined();
    expect(heard.marks.map(({ atMs }) => atMs)).toEqual([0, 100]);
    expect(heard.ms).toBe(100);
  });

  it('drops unknown tags and says so, or speaks them', async () => {
    const dropped = new FakeEngine();
    const sound = speechSound('Ha [laughs] ha.', { engine: dropped });
    const heard = listen(sound);
    await heard.done;
    expect([dropped.texts, heard.warnings, sound.report.droppedTags]).toEqual([
      ['Ha ha.'],
      [expect.stringMatching(/\[laughs\]/)],
      1,
    ]);
    const spoken = new FakeEngine();
    await listen(speechSound('Ha [laughs] ha.', { engine: spoken, unknownTags: 'speak' })).done;
    expect(spoken.texts).toEqual(['Ha [laughs] ha.']);
  });

  it('joins with what converts it: no sample is lost where engines of different rates meet', async () => {
    const engine = new FakeEngine({ fate: (said) => (said === 'Two.' ? 'ENGINE_FAILED' : undefined) });
    const heard = listen(
      speechSound('One. Two. Three.', {
        engine,
        fallback: { engine: new FakeEngine({ name: 'spare' }), speech: {} },
        retries: 0,
      }),
    );
    await heard.done;
    const converter = await createConverter();
    const count =
      heard.blocks.reduce((sum, block) => sum + converter.push(block).length, 0) + converter.flush().length;
    converter.close();
    expect(count).toBe(Math.round(heard.ms * 16));
  });
});

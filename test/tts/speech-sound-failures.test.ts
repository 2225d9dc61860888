import { describe, expect, it } from 'vitest';
import { delay, systemClock } from '../../src/base/clock.js';
import { speechSound } from '../../src/tts/speech-sound.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { listen } from '../support/tts/listen.js';
import { speechMs } from '../support/tts/sound.js';

const text = 'One sentence. A second one, longer. Three! ';
const lengths = ['One sentence.', 'A second one, longer.', 'Three!'].map(speechMs);

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

  it('comes back to an engine that fails now and then, however often and however slowly it is heard', async () => {
    const engine = new FakeEngine({ fate: (said) => (/^Bad/.test(said) ? 'ENGINE_FAILED' : undefined) });
    const fallback = new FakeEngine({ name: 'spare' });
    const heard = listen(
      speechSound('Bad one. Good. Bad two. Good. Bad three. Good. ', {
        engine,
        fallback: { engine: fallback, speech: {} },
        ...options,
      }),
      () => delay(systemClock, 40),
    );
    expect(await heard.done).toBeUndefined();
    expect(heard.segments.map(({ engine: name }) => name)).toEqual([
      'spare',
      'fake',
      'spare',
      'fake',
      'spare',
      'fake',
    ]);
    expect(heard.warnings.every((warning) => warning.startsWith('The engine spare speaks a sentence:'))).toBe(
      true,
    );
  });

  it('goes on after any number of failures that are not in a row', async () => {
    const engine = new FakeEngine({ fate: (said) => (/^Bad/.test(said) ? 'ENGINE_FAILED' : undefined) });
    const sound = speechSound('Bad one. Good. Bad two. Good. Bad three. Good. ', {
      engine,
      maxFailures: 2,
      ...options,
    });
    const heard = listen(sound);
    expect(await heard.done).toBeUndefined();
    expect(heard.skipped).toHaveLength(3);
    expect(sound.report).toMatchObject({ spoken: 3, skipped: 3 });
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

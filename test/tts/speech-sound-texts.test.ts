import { describe, expect, it } from 'vitest';
import { createConverter } from '../../src/audio/convert.js';
import { Dictionary } from '../../src/tts/dictionary.js';
import { speechSound } from '../../src/tts/speech-sound.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { listen } from '../support/tts/listen.js';
import { speechMs } from '../support/tts/sound.js';

const text = 'One sentence. A second one, longer. Three! ';

describe('speechSound and what stands in the text', () => {
  it('speaks without Markdown and emoji, by the dictionary, and tells the text without marks', async () => {
    const engine = new FakeEngine();
    const dictionary = new Dictionary([['AI', 'A. I.']]);
    const heard = listen(speechSound('**AI** is fun 😊. ', { engine, dictionary }));
    await heard.done;
    expect(heard.segments.map(({ text: written, said }) => [written, said])).toEqual([
      ['AI is fun 😊. ', 'A. I. is fun .'],
    ]);
    const plain = new FakeEngine();
    await listen(speechSound('**AI** is', { engine: plain, verbatim: true })).done;
    expect(plain.texts).toEqual(['**AI** is']);
  });

  it('counts what is not to be spoken as skipped, and says so once at the end', async () => {
    const engine = new FakeEngine();
    const sound = speechSound('<think>hm</think>Yes. *waves* *nods*\n```\nx = 1\n```\n', { engine });
    const heard = listen(sound);
    expect(await heard.done).toBeUndefined();
    expect(engine.texts).toEqual(['Yes.']);
    expect(sound.report).toMatchObject({ segments: 1, spoken: 1, skipped: 4 });
    expect(heard.skipped).toEqual(['hm', 'waves', 'nods', 'x = 1']);
    expect(heard.warnings).toEqual([
      'Skipped 1 part in reasoning tags, 2 stage directions, 1 code block. Use --skip none to speak everything.',
    ]);
  });

  it('fails and says why when nothing of a text is to be spoken', async () => {
    const heard = listen(speechSound('```\nx = 1\n```', { engine: new FakeEngine() }));
    expect(await heard.done).toMatchObject({
      code: 'TEXT_EMPTY',
      message: 'Nothing of the text is to be spoken: 1 code block skipped.',
    });
  });

  it('is silent where SSML has a break, and warns once of each other element', async () => {
    const engine = new FakeEngine();
    const heard = listen(
      speechSound('One<break time="400ms"/><emphasis>two</emphasis> <emphasis>three</emphasis>.', { engine }),
    );
    expect(await heard.done).toBeUndefined();
    expect(engine.texts).toEqual(['One', 'two three.']);
    expect(heard.segments[1]!.startMs).toBe(speechMs('One') + 400);
    expect(heard.warnings).toEqual([
      'The markup <emphasis> is not supported and was left out; its text is spoken.',
    ]);
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

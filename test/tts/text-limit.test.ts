import { describe, expect, it } from 'vitest';
import { Dictionary } from '../../src/tts/dictionary.js';
import { speechSound } from '../../src/tts/speech-sound.js';
import { cutToFit } from '../../src/tts/text-limit.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { listen } from '../support/tts/listen.js';

describe('the longest text that an engine takes', () => {
  const engine = (capabilities: { maxChars?: number; maxBytes?: number }) => new FakeEngine({ capabilities });
  const parts = (said: string, capabilities: { maxChars?: number; maxBytes?: number }) =>
    cutToFit({ text: said, marks: [] }, said, [engine(capabilities)]);

  it('counts characters as code points and bytes as UTF-8', () => {
    expect(parts('𠮷'.repeat(10), { maxChars: 10 })).toHaveLength(1);
    expect(parts('𠮷'.repeat(11), { maxChars: 10 })).toHaveLength(2);
    for (const { said } of parts('あいうえお、'.repeat(20), { maxBytes: 50 }))
      expect(Buffer.byteLength(said)).toBeLessThanOrEqual(50);
    expect(parts('あ'.repeat(16), { maxBytes: 48 })).toHaveLength(1);
  });

  it('cuts behind a clause, else between words, and keeps every word', () => {
    const long = 'First part, second part and so on; third part without any mark at all in it, end.';
    const cut = parts(long, { maxChars: 40 }).map(({ said }) => said);
    expect(cut[0]).toBe('First part, second part and so on;');
    expect(cut.join(' ').replace(/\s+/g, ' ')).toBe(long);
    expect(
      parts('x'.repeat(95), { maxChars: 40 })
        .map(({ said }) => said)
        .join(''),
    ).toBe('x'.repeat(95));
  });

  it('is kept where a dictionary makes a sentence longer, for the fallback too', async () => {
    const dictionary = new Dictionary([['HP', 'ホームページ'.repeat(4)]]);
    const first = new FakeEngine({ capabilities: { maxChars: 60 }, fate: () => 'ENGINE_FAILED' });
    const spare = new FakeEngine({ name: 'spare', capabilities: { maxChars: 50 } });
    const written = 'HPとHPとHPとHPとHPです。';
    const heard = listen(
      speechSound(written, {
        engine: first,
        dictionary,
        retries: 0,
        fallback: { engine: spare, speech: {} },
      }),
    );
    expect(await heard.done).toBeUndefined();
    for (const text of [...first.texts, ...spare.texts])
      expect(Array.from(text).length).toBeLessThanOrEqual(50);
    expect(spare.texts.join('')).toBe(dictionary.apply(written));
    expect(heard.segments.map(({ text }) => text).join('')).toBe(written);
  });

  it('leaves every tag at its place in the parts', () => {
    const tag = { name: 'nod', args: [], commands: ['NOD'], pauseMs: 0 };
    const text = 'one two three four five six seven';
    const cut = cutToFit(
      {
        text,
        marks: [
          { tag, at: 0 },
          { tag, at: 29 },
        ],
      },
      text,
      [engine({ maxChars: 15 })],
    );
    expect(cut.map(({ text: part }) => part).join('')).toBe(text);
    expect(cut.map(({ marks }) => marks.length)).toEqual([1, 0, 1]);
    expect(cut[2]!.text.slice(cut[2]!.marks[0]!.at)).toBe(text.slice(29));
  });
});

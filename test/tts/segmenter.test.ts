import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textColumns } from '../../src/tts/characters.js';
import { TextSegmenter, type SegmenterOptions } from '../../src/tts/segmenter.js';

function segments(text: string, options: SegmenterOptions = {}): string[] {
  const segmenter = new TextSegmenter(options);
  return [...segmenter.push(text), ...segmenter.flush()];
}

/** Sentences alone: clause cuts are tested on their own. */
const whole = (text: string): string[] => segments(text, { firstClauseColumns: 1000, maxColumns: 1000 });

describe('TextSegmenter finds sentence ends', () => {
  it.each<[string, string[]]>([
    ['Hello there. How are you? Fine!', ['Hello there. ', 'How are you? ', 'Fine!']],
    ['こんにちは。元気ですか？はい！', ['こんにちは。', '元気ですか？', 'はい！']],
    ['本当？！そうです。', ['本当？！', 'そうです。']],
    ['Wow!!! Really?! Yes.', ['Wow!!! ', 'Really?! ', 'Yes.']],
    ['hello! how are you?', ['hello! ', 'how are you?']],
    ['やった！😊次です。', ['やった！', '😊次です。']],
    ['Great!😊 Next.', ['Great!', '😊 Next.']],
    ['日本語です.次です.', ['日本語です.', '次です.']],
    ['你好。你好吗？', ['你好。', '你好吗？']],
    ['안녕하세요. 잘 지내요?', ['안녕하세요. ', '잘 지내요?']],
    ['आप कैसे हैं? ठीक है। धन्यवाद।', ['आप कैसे हैं? ', 'ठीक है। ', 'धन्यवाद।']],
    ['So do I. Then we left.', ['So do I. ', 'Then we left.']],
    ['Version 1.2.3. Next.', ['Version 1.2.3. ', 'Next.']],
  ])('%j', (text, expected) => {
    expect(whole(text)).toEqual(expected);
  });
});

describe('TextSegmenter keeps together what is one', () => {
  it.each([
    'Pi is 3.14 and not 3,000.5 or 1,000.',
    'Mr. Smith met Dr. J. R. Tolkien and Prof. X.',
    'Use a tool, e.g. a hammer, i.e. something hard.',
    'The U.S. Army came in Jan. 2024.',
    'See https://example.com/a.b?c=d!e#f for more.',
    'Mail me@example.co.jp today.',
    'Version 1.2.3 is out.',
    'It was approx. five, at 3 p.m. or so.',
    '1. First comes this',
    'Steps: 1. Do this',
    '"Really?" she asked.',
    '「すごい！」と彼は言った。',
    'えっと…そうですね。',
    'Well... maybe.',
    'Node.js and .NET are fine.',
  ])('%j', (text) => {
    expect(whole(text)).toEqual([text]);
  });
});

describe('TextSegmenter and quotes, brackets, lines', () => {
  it.each<[string, string[]]>([
    ['"Go away." She left.', ['"Go away." ', 'She left.']],
    ['“Go away.” She left.', ['“Go away.” ', 'She left.']],
    ['(I know.) Then go.', ['(I know.) ', 'Then go.']],
    ['彼は「はい。そうです。」と言った。次。', ['彼は「はい。そうです。」と言った。', '次。']],
    ['「すごい！」彼は叫んだ。', ['「すごい！」', '彼は叫んだ。']],
    ['**Bold.** Next.', ['**Bold.** ', 'Next.']],
    ['Title\nText here', ['Title\n', 'Text here']],
    ['One\r\nTwo', ['One\r\n', 'Two']],
    ['- a\n- b\n1. c\n2. d', ['- a\n', '- b\n', '1. c\n', '2. d']],
    ['# Heading\n\nText.', ['# Heading\n', '\nText.']],
    ['This is a word, etc. Then more.', ['This is a word, etc. ', 'Then more.']],
  ])('%j', (text, expected) => {
    expect(whole(text)).toEqual(expected);
  });

  it('reads on over a line that was wrapped at its width', () => {
    const text = 'This text was wrapped by an editor at a width of about\nsixty columns or so. Next one.';
    expect(whole(text)).toEqual([
      'This text was wrapped by an editor at a width of about\nsixty columns or so. ',
      'Next one.',
    ]);
  });

  it('does not wait for a bracket that never closes', () => {
    const text = `He wrote :( and went on. ${'Then he wrote more of it. '.repeat(8)}`;
    const cut = segments(text, { firstClauseColumns: 1000, maxColumns: 1000 });
    expect(cut.length).toBeGreaterThan(3);
  });
});

describe('TextSegmenter lengths', () => {
  const sentence =
    'Well, as I was saying, we should go to the market now, and buy some bread, because, as you know, the shop closes soon.';

  it('lets the first segment end at a clause, and asks more of each one after it', () => {
    expect(segments(sentence)[0]).toBe('Well, as I was saying, we should go to the market now, ');
    expect(segments(sentence, { firstClauseColumns: 10 })).toEqual([
      'Well, as I was saying, ',
      'we should go to the market now, ',
      'and buy some bread, because, as you know, ',
      'the shop closes soon.',
    ]);
  });

  it('cuts a sentence that is too long at a clause, else at white space', () => {
    const cut = segments(sentence, { firstClauseColumns: 1000, maxColumns: 60 });
    expect(cut[0]).toBe('Well, as I was saying, we should go to the market now, ');
    const spaces = segments('one two three four five six seven', { maxColumns: 12 });
    expect(spaces).toEqual(['one two ', 'three four ', 'five six ', 'seven']);
  });

  it('cuts Japanese without punctuation between words', () => {
    const text = 'これはとても長い文で句読点がまったくありませんのでどこかで切らなければならない';
    const cut = segments(text, { maxColumns: 40 });
    expect(cut.join('')).toBe(text);
    expect(cut.length).toBeGreaterThan(1);
    const boundaries = new Set(
      [...new Intl.Segmenter('ja', { granularity: 'word' }).segment(text)].map(({ index }) => index),
    );
    expect(boundaries.has(cut[0]!.length)).toBe(true);
  });

  it('refuses lengths that are none', () => {
    expect(() => new TextSegmenter({ maxColumns: 0 })).toThrow(RangeError);
    expect(() => new TextSegmenter({ firstClauseColumns: Number.NaN })).toThrow(RangeError);
  });
});

describe('TextSegmenter as early as it can be sure', () => {
  it('returns a sentence with the first character after it', () => {
    const segmenter = new TextSegmenter();
    expect(segmenter.push('Hello there.')).toEqual([]);
    expect(segmenter.push(' H')).toEqual(['Hello there. ']);
    expect(segmenter.push('ello。')).toEqual([]);
    expect(segmenter.push('次')).toEqual(['Hello。']);
  });

  it('returns a line with its newline', () => {
    expect(new TextSegmenter().push('Hello there\n')).toEqual(['Hello there\n']);
  });

  it('settle() gives a sentence that is complete, not one that may go on', () => {
    const after = (text: string): string[] => {
      const segmenter = new TextSegmenter();
      segmenter.push(text);
      return segmenter.settle();
    };
    expect(after('元気です。')).toEqual(['元気です。']);
    expect(after('Really?')).toEqual(['Really?']);
    expect(after('Done. ')).toEqual(['Done. ']);
    for (const open of ['Pi is 3.', 'example.', 'Dr. ', '「はい。', 'Well, ', 'word', '']) {
      expect(after(open), open).toEqual([]);
    }
  });

  it('drain() gives all that can be said but keeps half a word', () => {
    const segmenter = new TextSegmenter();
    segmenter.push('Well then, let us see what hap');
    expect(segmenter.drain()).toEqual(['Well then, ']);
    expect(segmenter.drain()).toEqual(['let us see what ']);
    expect(segmenter.push('pens. ')).toEqual([]);
    expect(segmenter.flush()).toEqual(['happens. ']);
    expect(segmenter.drain()).toEqual([]);
  });

  it('starts with short segments again after a pause', () => {
    const after = (pause: boolean): string[] => {
      const segmenter = new TextSegmenter({ firstClauseColumns: 10 });
      segmenter.push('One sentence. Two sentences. Three of them! ');
      if (pause) segmenter.settle();
      return segmenter.push('And then comes this, x');
    };
    expect(after(true)).toEqual(['And then comes this, ']);
    expect(after(false)).toEqual(['Three of them! ']);
  });

  it('holds back what cannot be said until something can, and loses none of it', () => {
    expect(segments('---\n\n😊 Hello. ')).toEqual(['---\n\n😊 Hello. ']);
    expect(segments(' \n ')).toEqual([' \n ']);
    expect(segments('')).toEqual([]);
  });
});

const PIECES = [
  ...'. ! ? 。 ！ ？ … , 、 ; : — " \' ” 」 』 ） ( （ 「 ['.split(' '),
  ...[' ', '\n', '\r', '\t', '\u3000'],
  ...[
    'Hello',
    ' world',
    'Mr',
    '3.14',
    '1,000',
    'e.g.',
    'https://a.b/c?d=e',
    'こんにちは',
    '元気',
    '漢字',
    'ﾊﾟ',
  ],
  ...['👩‍👩‍👧', '🇯🇵', '👍🏽', 'e\u0301', '\r\n', '...', '「はい。」と', '- item', '❗️', '*️⃣', 'ไทย', 'हिन्दी'],
];
/** Text with everything that has a rule, in random order, and arbitrary Unicode between. */
const text = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...PIECES) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }) },
    ),
    { maxLength: 60, size: 'max' },
  )
  .map((parts) => parts.join(''));
const options = fc.record({
  firstClauseColumns: fc.integer({ min: 1, max: 60 }),
  maxColumns: fc.integer({ min: 4, max: 80 }),
});

describe('TextSegmenter on any text', () => {
  it('gives segments that joined are the text, the same for any chunking', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 });
    fc.assert(
      fc.property(text, options, sizes, (all, o, plan) => {
        const segmenter = new TextSegmenter(o);
        const cut: string[] = [];
        for (let at = 0, i = 0; at < all.length; i++) {
          const size = plan[i % plan.length]!;
          cut.push(...segmenter.push(all.slice(at, at + size)));
          at += size;
        }
        cut.push(...segmenter.flush());
        expect(cut.join('')).toBe(all);
        expect(cut).toEqual(segments(all, o));
      }),
      { numRuns: 500 },
    );
  });

  it('loses and repeats nothing when the writer pauses anywhere', () => {
    const steps = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 9 }), fc.constantFrom('settle', 'drain', 'go')),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(text, options, steps, (all, o, plan) => {
        const segmenter = new TextSegmenter(o);
        const cut: string[] = [];
        for (let at = 0, i = 0; at < all.length; i++) {
          const [size, pause] = plan[i % plan.length]!;
          cut.push(...segmenter.push(all.slice(at, at + size)));
          if (pause !== 'go') cut.push(...segmenter[pause]());
          at += size;
        }
        cut.push(...segmenter.flush());
        expect(cut.join('')).toBe(all);
        expect(cut.every((segment) => segment !== '')).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('never cuts inside a grapheme cluster', () => {
    const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
    fc.assert(
      fc.property(text, options, (all, o) => {
        const boundaries = new Set([...graphemes.segment(all)].map(({ index }) => index));
        let at = 0;
        for (const segment of segments(all, o).slice(0, -1)) {
          at += segment.length;
          expect(boundaries.has(at), `${JSON.stringify(all)} at ${at}`).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('keeps every segment within the longest length', () => {
    fc.assert(
      fc.property(text, options, (all, o) => {
        for (const segment of segments(all, o)) {
          expect(textColumns(segment)).toBeLessThanOrEqual(o.maxColumns + 2);
        }
      }),
      { numRuns: 300 },
    );
  });

  it.each(['. ', '[', '\n', '"(', '1. ', 'a', 'あ', '、', '「', 'x.', 'a b '])(
    'handles each character of 1 MB of %j no more than three times, and holds little',
    (part) => {
      const segmenter = new TextSegmenter();
      const text = part.repeat(Math.ceil(1_000_000 / part.length));
      let given = 0;
      for (let at = 0; at < text.length; at += 4096) {
        for (const segment of segmenter.push(text.slice(at, at + 4096))) given += segment.length;
        expect(Math.min(at + 4096, text.length) - given).toBeLessThanOrEqual(2000);
      }
      expect(segmenter.steps).toBeLessThanOrEqual(3 * text.length);
    },
  );
});

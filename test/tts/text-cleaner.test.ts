import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutControls } from '../../src/tts/control-characters.js';
import { TextCleaner, type CleanerOptions } from '../../src/tts/text-cleaner.js';

/** What becomes of a text, with what was taken out in braces. */
function clean(text: string, options: CleanerOptions = {}, pieceChars = text.length): string {
  const cleaner = new TextCleaner(options);
  const pieces = [];
  for (let at = 0; at < text.length; at += Math.max(1, pieceChars))
    pieces.push(...cleaner.push(text.slice(at, at + Math.max(1, pieceChars))));
  pieces.push(...cleaner.flush());
  return pieces
    .map((piece) => {
      if (piece.kind === 'text') return piece.text;
      if (piece.kind === 'pause') return `{pause ${piece.ms}}`;
      if (piece.kind === 'skipped') return `{${piece.what}}`;
      return piece.kind === 'ignored' ? `{ignored ${piece.tag}}` : '';
    })
    .join('');
}

const words = (text: string): string => text.replace(/\s+/g, ' ').trim();

const MARKUP: readonly (readonly [written: string, cleaned: string])[] = [
  // Emphasis, over a sentence's end too.
  ['**This is bold. And this too.** Then plain.', 'This is bold. And this too. Then plain.'],
  ['これは**とても大切。覚えてね。**以上です。', 'これはとても大切。覚えてね。以上です。'],
  ['***All. Of. It.*** __And. This.__ ~~gone. too.~~', 'All. Of. It. And. This. gone. too.'],
  ['_Quiet. Very quiet._ Loud.', 'Quiet. Very quiet. Loud.'],
  ['**「強調。です」**と言った。', '「強調。です」と言った。'],
  ['2 * 3 * 4 = 24 and 2*3, 2**8, snake_case_name', '2 * 3 * 4 = 24 and 2*3, 2**8, snake_case_name'],
  ['escaped \\*stars\\* and \\# signs', 'escaped *stars* and # signs'],
  ['`code` and ``more``', 'code and more'],
  // Blocks.
  ['# Heading\n## Second ##\ntext', 'Heading Second ## text'],
  ['- one\n* two\n+ three\n・四\n• five', 'one two three 四 five'],
  ['- [ ] open\n- [x] done', 'open done'],
  ['> quoted\n> > twice', 'quoted twice'],
  ['Title\n=====\nBody\n---\nMore\n* * *\nEnd', 'Title Body More End'],
  // Links.
  ['See [the page](https://example.com/a_(b)?c=d "T") now.', 'See the page now.'],
  ['![a cat](cat.png) [![badge](b.svg)](https://ci.example)', 'a cat badge'],
  ['[one][1] two[^3].\n[1]: https://example.com\n', 'one two.'],
  ['Go to https://www.example.com/path?x=1. Then www.foo.org/bar!', 'Go to example.com. Then foo.org!'],
  ['詳しくはhttps://example.com/あ を見て。', '詳しくはexample.com を見て。'],
  ['<https://example.org/> <mail@example.org> <example.net>', 'example.org mail@example.org example.net'],
  // HTML.
  ['Hello<br>world. <b>Bold. Text.</b> &amp; more.', 'Hello world. Bold. Text. & more.'],
  ['<p class="x">One</p><ul><li>a</li><li>b</li></ul>', 'One a b'],
  [
    '&lt;b&gt; &#12354;&#x3042; caf&eacute;&nbsp;&quot;q&quot; AT&T R&D; a & b',
    '<b> ああ café "q" AT&T R&D; a & b',
  ],
  ['a<!-- not. this --> b <script>if (a < b) alert("x")</script>c <style>p{}</style>', 'a b c'],
  ['<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>です', '漢字です'],
  ['1 < 2 and 3 > 2, I <3 you', '1 < 2 and 3 > 2, I <3 you'],
  // Not said by anybody.
  [
    '\u001b[1;31mred\u001b[0m \u001b]8;;https://x.y\u0007link\u001b]8;;\u0007 bell\u0007 nul\0 del\u007f \u009b',
    'red link bell nul del',
  ],
  ['a\u200bb\ufeffc \u202eright\u202c so\u00adft', 'abc right soft'],
  // Skipped.
  ['Before.\n```js\nconst a = 1;\n```\nAfter.', 'Before. {code}After.'],
  ['Run:\n~~~~\n```\n~~~\n~~~~\nDone.', 'Run: {code}Done.'],
  ['<pre><code>x = 1</code></pre>Done.', '{code}Done.'],
  ['<think>Hm.\n```\nopen fence\n</think>The answer.', '{think}The answer.'],
  [
    '<Thinking mode="x">a <thinking>b</thinking> c</Thinking>Yes. <reasoning>r</reasoning>No.',
    '{think}Yes. {think}No.',
  ],
  ['◁think▷hm◁/think▷Yes.', '{think}Yes.'],
  [
    '<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>',
    '{think}Yes.',
  ],
  ['<think>never closed', '{think}'],
  ['| a | b |\n|---|:-:|\n| **1** | 2 |\n\nEnd.', '{table} End.'],
  ['Name | Age\n--- | ---\nBob | 3\n\nDone.', '{table} Done.'],
  ['<table><tr><td>1</td></tr></table>End.', '{table}End.'],
  ['a | b', 'a | b'],
  ['*waves* Hello! *smiles softly* How are you?', '{direction}Hello! {direction}How are you?'],
  [
    'Well *sighs* I am *so* tired. *Really* tired. *Note:* this.',
    'Well {direction}I am so tired. Really tired. Note: this.',
  ],
  ['*手を振る* こんにちは。*重要*です。', '{direction}こんにちは。重要です。'],
  [
    'そうですね（笑）。すごい（爆笑） (laughs) Yes (he said).',
    'そうですね{direction}。すごい{direction} {direction}Yes (he said).',
  ],
  ['東京（とうきょう）は（税込）です。', '東京（とうきょう）は（税込）です。'],
  // SSML.
  [
    '<speak>Wait<break time="500ms"/> for <break time=\'1.5s\'> it<break/></speak>',
    '{ignored speak}Wait{pause 500} for {pause 1500}it{pause 500}',
  ],
  [
    '<break strength="none"/><break strength="strong"/><prosody rate="slow">slow</prosody>',
    '{pause 750}{ignored prosody}slow',
  ],
];

describe('TextCleaner', () => {
  it.each(MARKUP)('%j', (written, cleaned) => {
    expect(words(clean(written))).toBe(cleaned);
  });

  it('gives the same for every chunking of a text', () => {
    const text = MARKUP.map(([written]) => written).join('\n\n');
    const whole = clean(text);
    for (const pieceChars of [1, 2, 3, 7, 50]) expect(clean(text, {}, pieceChars)).toBe(whole);
    const part = fc.constantFrom(
      ...'ab 。.!*_`~[]()<>/!|#-=&;\n\\（笑）◁'.split(''),
      '<think>',
      '</think>',
      '```',
      '&amp;',
      'https://',
      '**',
      'é😊',
      '\r\n',
      '\u001b[0m',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (parts, pieceChars) => {
        const written = parts.join('');
        expect(clean(written, {}, pieceChars)).toBe(clean(written));
      }),
      { numRuns: 500 },
    );
  });

  it('gives the first sentence of a bold paragraph while the rest is still to come', () => {
    const cleaner = new TextCleaner();
    const got = ['**This is bold. ', 'And th'].flatMap((piece) => cleaner.push(piece));
    expect(got.map((piece) => (piece.kind === 'text' ? piece.text : '')).join('')).toContain(
      'This is bold. ',
    );
  });

  it('speaks what is not to be skipped, without its marks', () => {
    const text = '<think>Hm.</think>\n```js\nlet a\n```\n| a | b |\n|--|--|\n| 1 | 2 |\n\n*waves* Hi（笑）';
    expect(words(clean(text, { skip: [] }))).toBe('Hm. let a a, b 1, 2 waves Hi（笑）');
    expect(words(clean(text, { skip: ['think', 'direction'] }))).toBe(
      '{think} let a a, b 1, 2 {direction}Hi{direction}',
    );
  });

  it('takes nothing but control characters out of a text that is verbatim', () => {
    const text = '**a** <b>x</b> `c`\u0007 \u001b[31mred\u001b[0m';
    expect(clean(text, { verbatim: true })).toBe('**a** <b>x</b> `c` red');
    expect(withoutControls(text)).toBe('**a** <b>x</b> `c` red');
  });

  it('passes tokens through at their places', () => {
    const cleaner = new TextCleaner<string>();
    const pieces = [
      ...cleaner.push('One. *wa'),
      ...cleaner.pass('first'),
      ...cleaner.push('ves* Two.'),
      ...cleaner.pass('second'),
      ...cleaner.flush(),
    ];
    expect(pieces.map((piece) => (piece.kind === 'text' ? piece.text : piece.kind))).toEqual([
      'One. ',
      'skipped',
      'token',
      'Two.',
      'token',
    ]);
  });

  it.each([
    ...['. ', '[', '\n', '"('].map((part) => [part, 1_000_000] as const),
    ...'( * < ` & ]( []( **a ◁ <think> （ \\ ![ <a'.split(' ').map((part) => [part, 60_000] as const),
    ...['_ ', '- ', '|-', '= ', '~~~\n', '# ', '| a\n', '\u001b[', '\u001b]'].map(
      (part) => [part, 60_000] as const,
    ),
  ])('decides no more than twice a character about %j, %d characters long', (part, length) => {
    const cleaner = new TextCleaner();
    const text = part.repeat(Math.ceil(length / part.length));
    const pieces = [...cleaner.push(text), ...cleaner.flush()];
    expect(cleaner.steps).toBeLessThanOrEqual(2 * text.length);
    const given = pieces.reduce((sum, piece) => sum + (piece.kind === 'text' ? piece.text.length : 0), 0);
    expect(given).toBeLessThanOrEqual(2 * text.length);
  });
});

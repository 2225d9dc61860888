import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TagScanner, type TaggedPiece, type TagTable } from '../../src/tts/tags.js';

const table: TagTable = {
  smile: '__AV_EXMORPH,smile=1',
  nod: ['MOTION_ADD|{model}|nod|{name}.vmd', 'CAPTION|{args}'],
  Look: { commands: ['LOOK|{1}|{2}'], pauseMs: 200 },
  笑顔: 'SMILE',
};

function scan(
  text: string,
  options: ConstructorParameters<typeof TagScanner>[1] = {},
  sizes = [1000],
): string[] {
  const scanner = new TagScanner(table, options);
  const pieces: TaggedPiece[] = [];
  for (let at = 0, i = 0; at < text.length; at += sizes[i++ % sizes.length]!) {
    pieces.push(...scanner.push(text.slice(at, at + sizes[i % sizes.length]!)));
  }
  pieces.push(...scanner.flush());
  // Text may come in several pieces: join what stands together.
  const shown: string[] = [];
  let open = false;
  for (const piece of pieces) {
    if (piece.kind === 'text' && open) shown.push(`${shown.pop() ?? ''}${piece.text}`);
    else if (piece.kind === 'text') shown.push(piece.text);
    else if (piece.kind === 'dropped') shown.push(`dropped ${piece.text}`);
    else
      shown.push(
        `<${[piece.tag.name, ...piece.tag.commands].join(' ')}${piece.tag.pauseMs ? ` ${piece.tag.pauseMs} ms` : ''}>`,
      );
    open = piece.kind === 'text';
  }
  return shown;
}

describe('TagScanner', () => {
  it('takes known tags out and leaves the text as it is', () => {
    expect(scan('Hello [smile] there.')).toEqual(['Hello ', '<smile __AV_EXMORPH,smile=1>', ' there.']);
    expect(scan('[SMILE]a[笑顔]b')).toEqual(['<smile __AV_EXMORPH,smile=1>', 'a', '<笑顔 SMILE>', 'b']);
  });

  it('knows pauses, within a bound', () => {
    expect(scan('[pause][pause 500][pause:1.5s][pause 99999999]')).toEqual([
      '<pause 500 ms>',
      '<pause 500 ms>',
      '<pause 1500 ms>',
      '<pause 10000 ms>',
    ]);
  });

  it('fills in names, words and variables, and nothing that could become another argument', () => {
    expect(scan('[nod a b|c]', { variables: { model: 'mei' } })).toEqual([
      '<nod MOTION_ADD|mei|nod|nod.vmd CAPTION|a bc>',
    ]);
    expect(scan('[look 1,2]')).toEqual(['<look LOOK|1|2 200 ms>']);
    expect(scan('[look 1]')).toEqual(['<look LOOK|1| 200 ms>']);
  });

  it('drops unknown tags and says so, or speaks them: never both', () => {
    expect(scan('Ha [laughs] ha')).toEqual(['Ha ', 'dropped [laughs]', ' ha']);
    expect(scan('Ha [laughs] ha', { unknown: 'speak' })).toEqual(['Ha [laughs] ha']);
    expect(scan('[pause later]')).toEqual(['dropped [pause later]']);
  });

  it.each([
    'see [1] and [2023]',
    'a [link](https://example.com) here',
    'an [open bracket',
    'array[0] = [x, y',
    `[${'long '.repeat(30)}]`,
    '[new\nline]',
    '[]',
    'back\\slash',
  ])('leaves %j alone', (text) => {
    expect(scan(text)).toEqual([text]);
  });

  it('takes an escaped bracket as a bracket', () => {
    expect(scan('\\[smile\\] and [[smile]')).toEqual(['[smile] and [', '<smile __AV_EXMORPH,smile=1>']);
  });

  it('gives the same for any chunking, and loses no text', () => {
    const part = fc.constantFrom(
      '[smile]',
      '[pause 5]',
      '[what]',
      '[',
      ']',
      '(',
      '\\',
      'text ',
      '[nodding',
      '\n',
      '😊',
      '[1]',
    );
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }),
        (parts, sizes) => {
          const text = parts.join('');
          const scanner = new TagScanner(table, { unknown: 'speak' });
          const pieces: TaggedPiece[] = [];
          for (let at = 0, i = 0; at < text.length; i++) {
            pieces.push(...scanner.push(text.slice(at, at + sizes[i % sizes.length]!)));
            at += sizes[i % sizes.length]!;
          }
          pieces.push(...scanner.flush());
          const joined = (all: TaggedPiece[]): string =>
            all.map((piece) => (piece.kind === 'tag' ? `<${piece.tag.name}>` : piece.text)).join('');
          const once = new TagScanner(table, { unknown: 'speak' });
          expect(joined(pieces)).toBe(joined([...once.push(text), ...once.flush()]));
          const without = text.replace(/\[smile\]|\[pause 5\]/g, '');
          if (!text.includes('\\')) expect(joined(pieces).replace(/<\w+>/g, '')).toBe(without);
        },
      ),
      { numRuns: 300 },
    );
  });
});

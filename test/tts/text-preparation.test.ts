import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Dictionary } from '../../src/tts/dictionary.js';
import { hasSpeech, speakableText } from '../../src/tts/speakable.js';

describe('speakableText', () => {
  it.each<[string, string]>([
    ['Hello 😊👍🏽 world 👩‍👩‍👧 🇯🇵 1️⃣!', 'Hello world !'],
    ['Copyright © 2024 and Foo™', 'Copyright © 2024 and Foo™'],
    ['a | b', 'a, b'],
    ['こんにちは\n元気です', 'こんにちは元気です'],
    ['one\n\ntwo  three', 'one two three'],
    ['か\u3099 e\u0301', 'が é'],
    ['   ', ''],
  ])('%j', (written, said) => {
    expect(speakableText(written)).toBe(said);
  });

  it('knows what can be said', () => {
    expect(['a', '1', 'あ', 'é', '한'].every(hasSpeech)).toBe(true);
    expect(['', ' ', '…', '😊', '!?', '---'].some(hasSpeech)).toBe(false);
  });
});

describe('Dictionary', () => {
  const dictionary = new Dictionary([
    ['MMDAgent', 'エムエムディーエージェント'],
    ['AI', 'A. I.'],
    ['AI model', 'clever thing'],
    ['重複', 'ちょうふく'],
    ['C++', 'C plus plus'],
    ['A. I.', 'never'],
  ]);

  it('replaces whole words of any case, the longest first, and each once', () => {
    expect(dictionary.apply('An ai, an AI model; he said Thai.')).toBe(
      'An A. I., an clever thing; he said Thai.',
    );
    expect(dictionary.apply('重複をC++で、MMDAgentと。')).toBe(
      'ちょうふくをC plus plusで、エムエムディーエージェントと。',
    );
  });

  it('leaves the text that it does not know as it is, whatever its letters become in lower case', () => {
    expect(
      new Dictionary([
        ['ß', 'sz'],
        ['x', 'ex'],
      ]).apply('İSTANBUL x Maß ẞ'),
    ).toBe('İSTANBUL ex Maß sz');
  });

  it('looks no more up with 5,000 entries than with 50', () => {
    const steps = (count: number): number => {
      const words = Array.from({ length: count }, (_, i) => [`Wort${i}`, `w ${i}`] as const);
      const large = new Dictionary(words);
      large.apply('Wort7, Antwort, Wort49x und 猫が好き。'.repeat(100));
      return large.steps;
    };
    expect(steps(5000)).toBeLessThan(4 * steps(50));
  });

  it('leaves a text alone when it is empty', () => {
    expect(new Dictionary([]).apply('AI')).toBe('AI');
    expect(new Dictionary([]).size).toBe(0);
  });

  const folder = mkdtempSync(join(tmpdir(), 'bridge-dictionary-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it.each([
    ['lines.txt', '\uFEFF# comment\r\nAI = A. I.\r\n\r\nfoo\tbar = baz\n'],
    ['map.yaml', 'AI: A. I.\nfoo: bar = baz\n'],
    ['map.json', '{"AI": "A. I.", "foo": "bar = baz"}'],
  ])('reads %s', async (name, text) => {
    const loaded = await Dictionary.load(file(name, text));
    expect([loaded.size, loaded.apply('AI foo')]).toEqual([2, 'A. I. bar = baz']);
  });

  it.each<[string, string | undefined, string, RegExp]>([
    ['missing.txt', undefined, 'FILE_NOT_FOUND', /missing\.txt/],
    ['bad.txt', 'a = b\nno mark\n', 'FILE_UNREADABLE', /Line 2 of the dictionary .*bad\.txt/],
    ['bad.yaml', '- a\n- b\n', 'FILE_UNREADABLE', /one mapping/],
    ['bad.json', '{', 'FILE_UNREADABLE', /bad\.json/],
  ])('says what is wrong with %s', async (name, text, code, message) => {
    const path = text === undefined ? join(folder, name) : file(name, text);
    await expect(Dictionary.load(path)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });
});

import { describe, expect, it } from 'vitest';
import { charsetOf, decodeText, encodingName } from '../../src/base/text-encoding.js';

const JAPANESE = 'こんにちは。元気ですか。';
const SHIFT_JIS = Buffer.from('82b182f182c982bf82cd81428cb38b4382c582b782a98142', 'hex');
const EUC_JP = Buffer.from('a4b3a4f3a4cba4c1a4cfa1a3b8b5b5a4a4c7a4b9a4aba1a3', 'hex');
const JIS = Buffer.from('1b244224332473244b2441244f2123383535242447243924' + '2b21231b2842', 'hex');

async function decode(bytes: Uint8Array, encoding?: string, pieceBytes = bytes.length): Promise<string> {
  let text = '';
  const pieces = (async function* () {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  })();
  for await (const piece of decodeText(pieces, { encoding })) text += piece;
  return text;
}

const utf16 = (text: string, bigEndian = false): Buffer => {
  const bytes = Buffer.from(text, 'utf16le');
  return bigEndian ? bytes.swap16() : bytes;
};

describe('decodeText', () => {
  it.each<[string, Uint8Array, string | undefined]>([
    ['UTF-8', Buffer.from(JAPANESE), undefined],
    ['UTF-8 with a mark', Buffer.from(`\uFEFF${JAPANESE}`), undefined],
    ['UTF-16LE with a mark', utf16(`\uFEFF${JAPANESE}`), undefined],
    ['UTF-16BE with a mark', utf16(`\uFEFF${JAPANESE}`, true), undefined],
    ['UTF-16LE with a mark, declared as something else', utf16(`\uFEFF${JAPANESE}`), 'shift_jis'],
    ['Shift_JIS', SHIFT_JIS, 'Shift_JIS'],
    ['CP932', SHIFT_JIS, 'cp932'],
    ['EUC-JP', EUC_JP, 'EUC-JP'],
    ['ISO-2022-JP', JIS, 'iso-2022-jp'],
  ])('reads %s, in pieces of any size', async (_name, bytes, encoding) => {
    for (const pieceBytes of [1, 2, 3, bytes.length])
      expect(await decode(bytes, encoding, pieceBytes)).toBe(JAPANESE);
  });

  it('knows Latin text in UTF-16 without a mark', async () => {
    expect(await decode(utf16('Hello there.'))).toBe('Hello there.');
    expect(await decode(utf16('Hello there.', true))).toBe('Hello there.');
    expect(await decode(Buffer.from('H'))).toBe('H');
    expect(await decode(Buffer.alloc(0))).toBe('');
  });

  it.each<[string, Uint8Array, string | undefined, RegExp]>([
    ['Shift_JIS', SHIFT_JIS, undefined, /^The text is not UTF-8 from byte 0 on; it looks like Shift_JIS\.$/],
    [
      'EUC-JP',
      Buffer.concat([Buffer.from('abc'), EUC_JP]),
      undefined,
      /from byte 3 on; it looks like EUC-JP/,
    ],
    ['Latin-1', Buffer.from('caf\xe9 noir', 'latin1'), undefined, /^The text is not UTF-8 from byte 3 on\.$/],
    ['half a character at the end', Buffer.from(JAPANESE).subarray(0, 10), undefined, /not UTF-8/],
    ['UTF-8 that is called Shift_JIS', Buffer.from('覚えてね。'), 'shift_jis', /not Shift_JIS/],
  ])('refuses %s where it is not the encoding', async (_name, bytes, encoding, message) => {
    await expect(decode(bytes, encoding)).rejects.toMatchObject({
      code: 'TEXT_ENCODING',
      message: expect.stringMatching(message) as string,
    });
  });

  it('refuses an encoding that it does not know', () => {
    expect(() => encodingName('klingon')).toThrow(
      expect.objectContaining({
        code: 'OPTION_INVALID',
        message: expect.stringMatching(/'klingon'/) as string,
      }),
    );
    expect(encodingName(' "SJIS" ')).toBe('shift_jis');
  });

  it('reads the charset of a content type', () => {
    expect(charsetOf('text/plain; charset=Shift_JIS')).toBe('Shift_JIS');
    expect(charsetOf('text/plain;format=flowed; Charset="EUC-JP"')).toBe('EUC-JP');
    expect([charsetOf('text/plain'), charsetOf(undefined)]).toEqual([undefined, undefined]);
  });
});

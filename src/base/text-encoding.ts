import { TextDecoder } from 'node:util';
import { BridgeError } from './errors.js';

/** Encoding of a text that is given as bytes. */
export interface TextEncodingOptions {
  /**
   * Name from the WHATWG Encoding Standard, such as `shift_jis`; default UTF-8. A byte order mark takes
   * precedence.
   */
  readonly encoding?: string | undefined;
  /** Name of the text in messages. */
  readonly what?: string | undefined;
}

const MARK_BYTES = 3;
const GUESSES = ['shift_jis', 'euc-jp', 'iso-2022-jp'] as const;
const NAMES: Readonly<Record<string, string>> = {
  ...{ shift_jis: 'Shift_JIS', 'euc-jp': 'EUC-JP', 'iso-2022-jp': 'ISO-2022-JP', 'utf-8': 'UTF-8' },
};
/** Common names that the standard does not have. */
const ALIASES: Readonly<Record<string, string>> = {
  ...{
    cp932: 'shift_jis',
    'windows-932': 'shift_jis',
    cp1252: 'windows-1252',
    eucjp: 'euc-jp',
    utf8: 'utf-8',
  },
  ...{
    'utf-16': 'utf-16le',
    utf16: 'utf-16le',
    utf16le: 'utf-16le',
    utf16be: 'utf-16be',
    jis: 'iso-2022-jp',
  },
};

/**
 * Returns the standard's name of an encoding.
 * @throws BridgeError OPTION_INVALID when the encoding is not supported
 */
export function encodingName(name: string): string {
  const key = name
    .trim()
    .replace(/^["']|["']$/g, '')
    .toLowerCase();
  try {
    return new TextDecoder(ALIASES[key] ?? key).encoding;
  } catch {
    throw new BridgeError(
      'OPTION_INVALID',
      `The encoding '${name}' is not known. Use UTF-8, or one of shift_jis, euc-jp, iso-2022-jp, utf-16le, windows-1252, gbk, big5, euc-kr.`,
    );
  }
}

/** Returns the `charset` of a content type, or undefined when it has none. */
export function charsetOf(contentType: string | undefined): string | undefined {
  return /;\s*charset\s*=\s*("[^"]*"|[^\s;]+)/i.exec(contentType ?? '')?.[1]?.replaceAll('"', '');
}

/**
 * Decodes a text that arrives in pieces of any size: by its byte order mark, else by the named encoding, else
 * as UTF-8.
 * @throws BridgeError TEXT_ENCODING at the first bytes that are invalid in the encoding, OPTION_INVALID for
 * an unknown encoding
 */
export async function* decodeText(
  bytes: AsyncIterable<Uint8Array>,
  { encoding: named, what = 'The text' }: TextEncodingOptions = {},
): AsyncGenerator<string, void, undefined> {
  const declared = named === undefined || named === '' ? undefined : encodingName(named);
  let decoder: TextDecoder | undefined;
  let head: Uint8Array = new Uint8Array(0);
  let position = 0;
  const decode = (chunk: Uint8Array, last: boolean): string => {
    decoder ??= new TextDecoder(markedEncoding(chunk, declared) ?? 'utf-8', { fatal: true });
    try {
      const text = decoder.decode(chunk, { stream: !last });
      position += chunk.length;
      return text;
    } catch {
      throw encodingError(what, decoder.encoding, chunk, position);
    }
  };
  for await (const chunk of bytes) {
    if (decoder) {
      yield decode(chunk, false);
      continue;
    }
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    if (head.length < MARK_BYTES && mayBeMark(head)) continue;
    yield decode(head, false);
  }
  yield decode(decoder ? new Uint8Array(0) : head, true);
}

function mayBeMark([first]: Uint8Array): boolean {
  return first === undefined || first >= 0xef || first === 0;
}

function markedEncoding(bytes: Uint8Array, declared: string | undefined): string | undefined {
  const [first, second, third] = bytes;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8';
  if (declared !== undefined) return declared;
  // Latin text in UTF-16 without a mark has a zero in every other byte; other texts do not.
  if (first === 0 && second !== undefined && second !== 0) return 'utf-16be';
  return second === 0 && first !== undefined && first !== 0 ? 'utf-16le' : undefined;
}

function encodingError(what: string, encoding: string, chunk: Uint8Array, position: number): BridgeError {
  const guess = encoding === 'utf-8' ? GUESSES.find((name) => looksLike(chunk, name)) : undefined;
  const name = NAMES[encoding] ?? encoding;
  return new BridgeError(
    'TEXT_ENCODING',
    `${what} is not ${name} from byte ${position + validBytes(chunk, encoding)} on${guess ? `; it looks like ${NAMES[guess]}` : ''}.`,
  );
}

/** Counts the bytes before the first invalid one, where the encoding allows it. */
function validBytes(bytes: Uint8Array, encoding: string): number {
  if (encoding !== 'utf-8') return 0;
  const text = new TextDecoder('utf-8').decode(bytes);
  const at = text.indexOf('\ufffd');
  return at === -1 ? 0 : Buffer.byteLength(text.slice(0, at));
}

function looksLike(bytes: Uint8Array, encoding: string): boolean {
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
    // EUC-JP read as Shift_JIS looks like half-width kana, so full-width kana prove the encoding.
    return /[\u3041-\u30fe]/.test(text);
  } catch {
    return false;
  }
}

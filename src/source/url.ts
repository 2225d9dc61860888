import { BridgeError } from '../base/errors.js';
import { isTextType, mediaType, type SoundLabel } from '../audio/content-type.js';
import { Lookahead } from '../audio/decode/lookahead.js';
import type { EncodedChunk, Sound } from '../audio/pcm.js';
import { decodeSound, type DecodeOptions } from '../audio/probe.js';
import { isText, MAX_TEXT_BYTES, TEXT_HEAD_BYTES, wordsOf } from '../audio/text.js';
import { httpGet, parseHttpUrl, urlLabel, type GetOptions } from './http-get.js';

/** How an address is fetched and read. */
export interface UrlOptions extends DecodeOptions, GetOptions {}

/**
 * A sound at an http or https address, spoken while it arrives and read no faster than it is spoken.
 * @throws BridgeError SOURCE_URL_INVALID at once; while it is open SOURCE_FAILED, SOURCE_DENIED, SOURCE_NOT_SOUND when a
 * page or a message comes instead, SOURCE_TOO_LARGE, SOURCE_TIMEOUT, and what decoding throws
 */
export function urlSound(address: string | URL, options: UrlOptions = {}): Sound {
  const url = parseHttpUrl(address);
  const label = urlLabel(url);
  return {
    label,
    live: false,
    async *open(context) {
      const { said, bytes } = await fetchSound(url, label, options, context.signal);
      yield* decodeSound(bytes, label, context, { ...options, ...said });
    },
  };
}

/**
 * The bytes of a sound at an address, pulled; see `urlSound`.
 * @param label how messages name it
 */
export async function* soundBytes(
  url: URL,
  label: string,
  options: UrlOptions,
  signal: AbortSignal,
): AsyncGenerator<EncodedChunk, void, undefined> {
  yield* (await fetchSound(url, label, options, signal)).bytes;
}

async function fetchSound(
  url: URL,
  label: string,
  options: UrlOptions,
  signal: AbortSignal,
): Promise<{ said: SoundLabel; bytes: AsyncGenerator<EncodedChunk, void, undefined> }> {
  const { contentType, headers, body } = await httpGet(url, options, signal);
  const input = new Lookahead(body);
  try {
    const head = await input.peek(TEXT_HEAD_BYTES);
    // Many servers send a sound as text/plain, so the first bytes count for more than plain text.
    const looksLikeText =
      isText(head) || (isTextType(contentType) && mediaType(contentType) !== 'text/plain');
    if (head.length > 0 && looksLikeText) {
      const words = wordsOf(await input.peek(MAX_TEXT_BYTES));
      throw notSound(label, mediaType(contentType), words);
    }
    // Headerless data of a format that the caller gives is not judged by the server's word for it.
    const said =
      options.raw === undefined ? { contentType, sampleRateHz: Number(headers['x-sample-rate']) } : {};
    return { said, bytes: input[Symbol.asyncIterator]() };
  } catch (error) {
    await input.close();
    throw error;
  }
}

function notSound(label: string, type: string, words: string): BridgeError {
  return new BridgeError(
    'SOURCE_NOT_SOUND',
    `${label} answered with ${type === '' ? 'text' : type} instead of sound${words === '' ? '.' : `: ${words}`}`,
  );
}

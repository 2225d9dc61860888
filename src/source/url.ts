import { BridgeError } from '../base/errors.js';
import { isTextType, mediaType, type SoundLabel } from '../audio/content-type.js';
import { Lookahead } from '../audio/decode/lookahead.js';
import type { EncodedChunk, Sound } from '../audio/pcm.js';
import { decodeSound, type DecodeOptions } from '../audio/probe.js';
import { isText, MAX_TEXT_BYTES, TEXT_HEAD_BYTES, wordsOf } from '../audio/text.js';
import { isPlaylist, MAX_PLAYLIST_BYTES, readPlaylist } from './playlist.js';
import { httpGet, parseHttpUrl, urlLabel, type GetOptions } from './http-get.js';

/** Maximum chain of playlists. */
const MAX_PLAYLISTS = 2;

/** Options of a sound from a URL. */
export interface UrlOptions extends DecodeOptions, GetOptions {}

/**
 * Makes a sound of an http or https URL. It is played while it arrives and read no faster than it is played.
 * @throws BridgeError SOURCE_URL_INVALID at once; while it is open SOURCE_FAILED, SOURCE_DENIED,
 * SOURCE_NOT_SOUND when the response is a page or a message, SOURCE_TOO_LARGE, SOURCE_TIMEOUT, and the errors
 * of decoding
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
 * Reads the bytes of a sound at a URL as they are taken; see `urlSound`.
 * @param label name of the sound in messages
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
  depth = 0,
): Promise<{ said: SoundLabel; bytes: AsyncGenerator<EncodedChunk, void, undefined> }> {
  const { contentType, headers, body } = await httpGet(url, options, signal);
  const input = new Lookahead(body);
  try {
    const head = await input.peek(TEXT_HEAD_BYTES);
    if (isPlaylist(contentType, head)) {
      const stream = streamIn(await input.peek(MAX_PLAYLIST_BYTES), url, label, depth);
      await input.close();
      return await fetchSound(stream, label, options, signal, depth + 1);
    }
    // Many servers send sound as text/plain, so the first bytes decide over that type.
    const looksLikeText =
      isText(head) || (isTextType(contentType) && mediaType(contentType) !== 'text/plain');
    if (head.length > 0 && looksLikeText) {
      const words = wordsOf(await input.peek(MAX_TEXT_BYTES));
      throw notSound(label, mediaType(contentType), words);
    }
    // When the caller gives a raw format, the server's content type is ignored.
    const said =
      options.raw === undefined ? { contentType, sampleRateHz: Number(headers['x-sample-rate']) } : {};
    return { said, bytes: input[Symbol.asyncIterator]() };
  } catch (error) {
    await input.close();
    throw error;
  }
}

/** Returns the only URL in a playlist. @throws BridgeError SOURCE_NOT_SOUND when there is not exactly one */
function streamIn(playlist: Uint8Array, url: URL, label: string, depth: number): URL {
  const entries = readPlaylist(playlist);
  const fail = (what: string): BridgeError =>
    new BridgeError('SOURCE_NOT_SOUND', `${label} is a playlist ${what}.`, {
      advice: 'Give the address of one sound or stream in it.',
    });
  if (entries === 'hls') throw fail('of the pieces of a stream (HLS), which is not supported');
  const [entry] = entries;
  if (entry === undefined) throw fail('without an entry');
  if (new Set(entries).size > 1) throw fail(`with ${entries.length} entries`);
  if (depth >= MAX_PLAYLISTS) throw fail('that leads from one to the next');
  if (!URL.canParse(entry, url.href)) throw fail('whose entry is no address');
  return parseHttpUrl(new URL(entry, url));
}

function notSound(label: string, type: string, words: string): BridgeError {
  return new BridgeError(
    'SOURCE_NOT_SOUND',
    `${label} answered with ${type === '' ? 'text' : type} instead of sound${words === '' ? '.' : `: ${words}`}`,
  );
}

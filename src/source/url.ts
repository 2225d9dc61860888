import { BridgeError } from '../base/errors.js';
import type { EncodedChunk, Sound } from '../audio/pcm.js';
import { decodeSound, type DecodeOptions } from '../audio/probe.js';
import { httpGet, lineOf, looksLikeText, parseHttpUrl, urlLabel, type GetOptions } from './http-get.js';

/** How an address is fetched and read. */
export interface UrlOptions extends DecodeOptions, GetOptions {}

/** What servers call what is surely no sound. The rest is judged by its bytes: many send a sound as text/plain. */
const NO_SOUND = /^(text\/html|application\/(xhtml\+xml|json|problem\+json|xml)|text\/xml)$/;
/** So many bytes tell whether it is a text: every format of sound has a byte among them that no text has. */
const MIN_JUDGED_BYTES = 64;

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
    open: (context) => decodeSound(soundBytes(url, label, options, context.signal), label, context, options),
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
  const { contentType, body } = await httpGet(url, options, signal);
  try {
    const { head, ended } = await takeHead(body);
    // Headerless data may be anything, so only the server's own word counts for it.
    const isText = options.raw === undefined && head.length > 0 && looksLikeText(head);
    if (NO_SOUND.test(contentType) || isText) throw notSound(label, contentType, head);
    if (head.length > 0) yield head;
    if (!ended) yield* body;
  } finally {
    await body.return();
  }
}

/** The first bytes, at least as many as the judgement takes; a server may send them one by one. */
async function takeHead(body: AsyncGenerator<EncodedChunk>): Promise<{ head: Uint8Array; ended: boolean }> {
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < MIN_JUDGED_BYTES) {
    const next = await body.next();
    if (next.done === true) return { head, ended: true };
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return { head, ended: false };
}

function notSound(label: string, contentType: string, head: Uint8Array): BridgeError {
  const what = contentType === '' ? 'text' : contentType;
  const line = lineOf(head);
  return new BridgeError(
    'SOURCE_NOT_SOUND',
    `${label} answered with ${what} instead of sound${line === '' ? '.' : `: ${line}`}`,
  );
}

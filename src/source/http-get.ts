import {
  request as requestHttp,
  STATUS_CODES,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { request as requestHttps } from 'node:https';
import { Socket, type LookupFunction, type NetConnectOpts } from 'node:net';
import { abortable } from '../base/abortable.js';
import { systemClock, type Clock } from '../base/clock.js';
import { BridgeError, toBridgeError } from '../base/errors.js';
import type { EncodedChunk } from '../audio/pcm.js';
import { MAX_TEXT_BYTES, wordsOf } from '../audio/text.js';
import { publicLookup, requirePublicHost } from './public-address.js';

/** Limits of a fetch. */
export interface GetOptions {
  /** False refuses addresses of this machine and its private network, for requests of remote callers. */
  readonly allowPrivate?: boolean;
  /** Maximum size of the body, in bytes. */
  readonly maxBytes?: number;
  readonly maxRedirects?: number;
  /** Timeout of name look-up, connection and TLS, in milliseconds; starts again at each redirect. */
  readonly connectTimeoutMs?: number;
  /** Timeout from the request to the response head, in milliseconds. */
  readonly answerTimeoutMs?: number;
  /**
   * Timeout of a wait for more of the body, in milliseconds. Time in which nothing is read does not count.
   */
  readonly idleTimeoutMs?: number;
  /**
   * Timeout from the start to the last byte, in milliseconds; long, because the body is read as it is played.
   */
  readonly totalTimeoutMs?: number;
  /** Name look-up, for tests; default: the system's. */
  readonly lookup?: LookupFunction;
  readonly clock?: Clock;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** A response whose head has arrived and whose body can be read. */
export interface HttpAnswer {
  /** Content type as sent by the server, with parameters; empty when absent. */
  readonly contentType: string;
  readonly headers: IncomingHttpHeaders;
  /**
   * Body, to be iterated once, read as it is taken. @throws BridgeError SOURCE_FAILED, SOURCE_TOO_LARGE or
   * SOURCE_TIMEOUT
   */
  readonly body: AsyncGenerator<EncodedChunk, void, undefined>;
}

/** Returns a URL for messages: without credentials and without the query, which may hold a token. */
export function urlLabel(url: URL): string {
  return url.origin + url.pathname;
}

/**
 * Parses an http or https URL.
 * @throws BridgeError SOURCE_URL_INVALID when it is not a complete http(s) URL
 */
export function parseHttpUrl(text: string | URL): URL {
  const url = URL.canParse(String(text)) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  const what = url ? `an address of the kind ${url.protocol}` : 'no whole address';
  throw new BridgeError('SOURCE_URL_INVALID', `'${url ? urlLabel(url) : String(text)}' is ${what}.`);
}

/**
 * Fetches a URL with GET, follows redirects, and returns when the response head has arrived.
 * @throws BridgeError SOURCE_FAILED when the server cannot be reached, answers with an error or redirects too
 * often; SOURCE_DENIED for a private address; SOURCE_TOO_LARGE; SOURCE_TIMEOUT; the signal's reason
 */
export async function httpGet(url: URL, options: GetOptions, signal: AbortSignal): Promise<HttpAnswer> {
  const clock = options.clock ?? systemClock;
  const deadlineMs = clock.nowMs() + (options.totalTimeoutMs ?? 12 * 3_600_000);
  let at = url;
  for (let redirects = 0; ; redirects++) {
    const label = urlLabel(at);
    const response = await send(at, options, clock, signal);
    try {
      const status = response.statusCode ?? 0;
      if (REDIRECTS.has(status) && response.headers.location !== undefined) {
        if (redirects === (options.maxRedirects ?? 5))
          throw new BridgeError('SOURCE_FAILED', `${urlLabel(url)} redirects more than ${redirects} times.`);
        at = redirectTarget(response.headers.location, at);
        response.destroy();
        continue;
      }
      const body = readBody(response, label, options, clock, deadlineMs, signal);
      if (status !== 200) throw await statusError(status, label, body);
      requireReadable(response, label, options);
      return { contentType: response.headers['content-type'] ?? '', headers: response.headers, body };
    } catch (error) {
      response.destroy();
      throw error;
    }
  }
}

/** Socket for SHOUTcast servers, which begin their response with `ICY 200 OK`; Node's parser refuses that. */
class IcySocket extends Socket {
  #begun = false;

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    const isIcy = !this.#begun && Buffer.isBuffer(chunk) && chunk.toString('latin1', 0, 4) === 'ICY ';
    this.#begun ||= Buffer.isBuffer(chunk);
    return super.push(isIcy ? Buffer.concat([Buffer.from('HTTP/1.0 '), chunk.subarray(4)]) : chunk, encoding);
  }
}

/** @returns the response, paused before its body */
function send(url: URL, options: GetOptions, clock: Clock, signal: AbortSignal): Promise<IncomingMessage> {
  const label = urlLabel(url);
  const { allowPrivate = true, connectTimeoutMs = 10_000, answerTimeoutMs = 30_000 } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    // A look-up happens for names only, so a literal address must be checked here.
    if (!allowPrivate) requirePublicHost(url.hostname);
    const secure = url.protocol === 'https:';
    const lookup = allowPrivate ? options.lookup : publicLookup(options.lookup);
    const request = (secure ? requestHttps : requestHttp)(url, {
      // No agent and so no pool: a socket from an earlier, permitted look-up must not serve this request.
      ...(secure
        ? { agent: false }
        : { createConnection: (target: object) => new IcySocket().connect(target as NetConnectOpts) }),
      headers: {
        accept: 'audio/*, */*;q=0.5',
        'accept-encoding': 'identity',
        'user-agent': 'mmdagent-bridge',
      },
      signal,
      ...(lookup && { lookup }),
    });
    const late = (what: string, ms: number) =>
      clock.after(ms, () =>
        request.destroy(new BridgeError('SOURCE_TIMEOUT', `${label} ${what} within ${ms / 1000} s.`)),
      );
    let timer = late('could not be reached', connectTimeoutMs);
    request.once('socket', (socket) =>
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        timer.cancel();
        timer = late('did not answer', answerTimeoutMs);
      }),
    );
    request.once('response', (response) => {
      timer.cancel();
      // This listener stays: without one, a late error would end the process.
      response.on('error', () => undefined);
      resolve(response);
    });
    request.on('error', (error) => {
      timer.cancel();
      reject(
        signal.aborted
          ? (signal.reason as Error)
          : toBridgeError(error, 'SOURCE_FAILED', `${label} could not be fetched`),
      );
    });
    request.end();
  });
}

async function* readBody(
  response: IncomingMessage,
  label: string,
  options: GetOptions,
  clock: Clock,
  deadlineMs: number,
  signal: AbortSignal,
): AsyncGenerator<EncodedChunk, void, undefined> {
  const { maxBytes = DEFAULT_MAX_BYTES, idleTimeoutMs = 30_000 } = options;
  const chunks = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let bytes = 0;
  try {
    for (;;) {
      const leftMs = deadlineMs - clock.nowMs();
      const timer = clock.after(Math.min(idleTimeoutMs, leftMs), () => {
        const why = leftMs < idleTimeoutMs ? 'took longer than it may in all' : 'sent nothing more';
        const waitedMs = leftMs < idleTimeoutMs ? (options.totalTimeoutMs ?? 0) : idleTimeoutMs;
        response.destroy(
          new BridgeError('SOURCE_TIMEOUT', `${label} ${why}, ${waitedMs / 1000} s, after ${bytes} bytes.`),
        );
      });
      const next = await abortable(chunks.next(), signal).finally(() => timer.cancel());
      if (next.done === true) return;
      bytes += next.value.length;
      if (bytes > maxBytes) throw tooLarge(label, maxBytes);
      yield next.value;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    const stated = response.headers['content-length'];
    const of = stated === undefined ? '' : ` of the ${stated} that it announced`;
    throw toBridgeError(error, 'SOURCE_FAILED', `${label} broke off after ${bytes} bytes${of}`);
  } finally {
    response.destroy();
  }
}

const DEFAULT_MAX_BYTES = 512 * 1024 * 1024;

function redirectTarget(header: string, from: URL): URL {
  // Node reads headers as Latin-1, but many servers send UTF-8.
  const location = Buffer.from(header, 'latin1').toString('utf8');
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (target?.protocol === 'http:' || target?.protocol === 'https:') return target;
  throw new BridgeError(
    'SOURCE_FAILED',
    `${urlLabel(from)} redirects to ${target ? `the kind ${target.protocol}` : 'what is no address'}, which is not followed.`,
  );
}

async function statusError(
  status: number,
  label: string,
  body: AsyncIterable<EncodedChunk>,
): Promise<BridgeError> {
  const line = await wordsOfBody(body).catch(() => '');
  const name = STATUS_CODES[status] ?? 'an unknown status';
  const says = line === '' ? '' : ` It says: ${line}`;
  return new BridgeError('SOURCE_FAILED', `${label} answered ${status} ${name}.${says}`);
}

async function wordsOfBody(body: AsyncIterable<EncodedChunk>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_TEXT_BYTES) break;
  }
  return wordsOf(Buffer.concat(chunks));
}

function requireReadable(response: IncomingMessage, label: string, options: GetOptions): void {
  const encoding = response.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw new BridgeError('SOURCE_FAILED', `${label} answers in ${encoding}, although it was asked not to.`);
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(label, maxBytes);
}

function tooLarge(label: string, maxBytes: number): BridgeError {
  return new BridgeError('SOURCE_TOO_LARGE', `${label} is larger than the ${maxBytes} bytes that are taken.`);
}

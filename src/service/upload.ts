import { Busboy, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, type Writable } from 'node:stream';
import { mediaType } from '../audio/content-type.js';
import type { Clock } from '../base/clock.js';
import { BridgeError, type ErrorCode } from '../base/errors.js';

/** Maximum time for a client that still uploads to notice the answer, in ms. */
const LINGER_MS = 2000;

/** Options of an upload. */
export interface UploadOptions {
  readonly clock: Clock;
  /** Bytes read ahead of the consumer; then the uploader waits. */
  readonly aheadBytes: number;
  /** Maximum silence while more data is wanted, in ms. */
  readonly idleMs: number;
  /** Name in messages. */
  readonly label: string;
}

/**
 * Body of a request as the bytes of a sound: read as they are taken, with a small part read ahead, so that TCP slows the
 * uploader. Not a stream, because ending the sound early must not end the connection on which the answer is sent.
 */
export class Upload implements AsyncIterable<Uint8Array> {
  /** Settles when everything was received, or nothing more will be. */
  readonly received: Promise<void>;
  readonly #request: IncomingMessage;
  readonly #options: UploadOptions;
  readonly #ahead: PassThrough;
  /** Destination of the request's bytes: the read-ahead buffer, or the parser of a form. */
  readonly #target: Writable;
  #bytes = 0;
  #failure: BridgeError | undefined;

  constructor(request: IncomingMessage, options: UploadOptions) {
    this.#request = request;
    this.#options = options;
    // One limit for both sides together.
    this.#ahead = new PassThrough({ readableHighWaterMark: options.aheadBytes, writableHighWaterMark: 1 });
    // The iteration reports its error; no other listener is needed.
    this.#ahead.on('error', () => undefined);
    this.received = new Promise((resolve) => {
      const { socket } = request;
      const settle = (): void => {
        socket.off('close', settle);
        resolve();
      };
      request.once('end', settle);
      request.once('close', settle);
      // After the answer no further event comes when the connection breaks.
      socket.once('close', settle);
    });
    request.on('data', (chunk: Buffer) => (this.#bytes += chunk.length));
    request.once('error', () => this.#cutOff());
    request.once('close', () => this.#cutOff());
    this.#target = isForm(request) ? this.#filePart() : this.#ahead;
    request.pipe(this.#target);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const { clock, idleMs, label } = this.#options;
    const chunks = this.#ahead[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (;;) {
      const idle = clock.after(idleMs, () =>
        this.#fail(`${label} was silent for ${idleMs} ms in the middle of its upload`),
      );
      const next = await chunks.next().finally(() => idle.cancel());
      if (next.done) break;
      yield next.value;
    }
    if (this.#failure) throw this.#failure;
  }

  /**
   * Discards the rest. Data that still arrives is read for a moment, so that the client reads the answer before the
   * connection closes.
   */
  discard(): void {
    this.#request.unpipe(this.#target);
    this.#ahead.destroy();
    linger(this.#request);
  }

  /** Takes the first file out of a form (`curl -F file=@x.wav`, a browser's FormData); its fields are ignored. */
  #filePart(): Writable {
    const { label } = this.#options;
    let found = false;
    const fail = (why: string): void =>
      this.#fail(`${label} is a form ${why}: send the sound itself, or one file in the form`);
    let form: BusboyInstance;
    try {
      form = new Busboy({
        headers: this.#request.headers as BusboyHeaders,
        fileHwm: this.#options.aheadBytes,
        limits: { fieldSize: 4096, fields: 100, parts: 200, headerPairs: 100 },
      });
    } catch {
      fail('that cannot be read');
      return this.#ahead;
    }
    form.on('file', (_field, file) => {
      if (found) return void file.resume();
      found = true;
      file.on('error', () => undefined);
      file.pipe(this.#ahead);
    });
    form.on('error', () => fail('that is damaged'));
    form.on('finish', () => {
      if (!found) fail('without a file');
    });
    return form;
  }

  #cutOff(): void {
    if (this.#request.complete) return;
    const what = `${this.#options.label} was cut off after ${this.#bytes} bytes`;
    const { errored } = this.#request.socket;
    // A connection between nodes knows its own error.
    if (errored instanceof BridgeError)
      this.#fail(`${what}: ${errored.message.replace(/\.$/, '')}`, errored.code);
    else this.#fail(what);
  }

  /** Fails after the data received before has been spoken. */
  #fail(what: string, code: ErrorCode = 'SOURCE_FAILED'): void {
    this.#failure ??= new BridgeError(code, `${what}.`);
    this.#ahead.end();
  }
}

function isForm({ headers }: IncomingMessage): boolean {
  return mediaType(headers['content-type']) === 'multipart/form-data';
}

/** Reads and discards data that a client still sends for a moment, then drops the connection. */
export function linger(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), LINGER_MS);
  timer.unref();
  request.once('close', () => clearTimeout(timer));
}

/**
 * Leaves the end of the connection to `linger` and to the client, even when the client asked for `Connection: close`:
 * Node would close it right after the answer, and a client that is still sending would get a connection error instead of
 * the answer. Call it before the answer's head is written.
 */
export function stayForAnswer(request: IncomingMessage, response: ServerResponse): void {
  // Before HTTP/1.1 an answer ends with its connection.
  if (!request.complete && request.httpVersion === '1.1') response.shouldKeepAlive = true;
}

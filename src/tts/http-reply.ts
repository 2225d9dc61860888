import type { ZodType } from 'zod';
import { isTextType, mediaType } from '../audio/content-type.js';
import type { RawFormat } from '../audio/decode/raw.js';
import { isKnownSound } from '../audio/probe.js';
import { isText, MAX_TEXT_BYTES, TEXT_HEAD_BYTES, wordsOf } from '../audio/text.js';
import type { Clock } from '../base/clock.js';
import { BridgeError, type ErrorCode } from '../base/errors.js';
import type { SynthesisPart } from './engine.js';

const MAX_JSON_BYTES = 64 * 1024 * 1024;

/** Limits of the communication with an engine. */
export interface HttpLimits {
  /**
   * Timeout from the request to the response head. An engine that sends whole utterances needs time to make
   * them.
   */
  readonly firstByteMs: number;
  /** Timeout between two pieces of the response. */
  readonly idleMs: number;
  /** Maximum size of a response. */
  readonly maxReplyBytes: number;
  /** Longest `Retry-After` that is waited for; with a longer one the request fails. */
  readonly maxRetryAfterMs: number;
}

/** Creates the errors of one engine, without its secrets. */
export interface EngineErrors {
  /** @param what description of the fault, to follow the engine's name */
  error(code: ErrorCode, what: string, cause?: unknown): BridgeError;
  redact(text: string): string;
}

/** State of the request that a reply belongs to. */
export interface ReplyContext {
  readonly client: EngineErrors;
  /** Ends the request. */
  readonly controller: AbortController;
  readonly signal: AbortSignal;
  /** Listener on `signal`, removed when the reply ends. */
  readonly onAbort: () => void;
  readonly clock: Clock;
  readonly limits: HttpLimits;
}

/** Response of an engine whose body is still to come. Read the body with one of the methods, or cancel it. */
export class HttpReply {
  readonly status: number;
  /** Content type without parameters, in lower case; empty when absent. */
  readonly contentType: string;
  readonly #response: Response;
  readonly #context: ReplyContext;

  constructor(response: Response, context: ReplyContext) {
    this.#response = response;
    this.#context = context;
    this.status = response.status;
    this.contentType = mediaType(response.headers.get('content-type') ?? undefined);
  }

  /** Returns the value of a header, or undefined. */
  header(name: string): string | undefined {
    return this.#response.headers.get(name) ?? undefined;
  }

  /**
   * Reads the body as it comes. Ending the iteration early ends the request.
   * @throws BridgeError ENGINE_TIMEOUT when nothing came for too long, ENGINE_FAILED when it broke off or is
   * too large, or the signal's reason
   */
  async *bytes(maxBytes = this.#context.limits.maxReplyBytes): AsyncGenerator<Uint8Array, void, undefined> {
    const { client, controller, signal, onAbort, clock, limits } = this.#context;
    const reader = (this.#response.body as ReadableStream<Uint8Array> | null)?.getReader();
    let received = 0;
    const wait = { late: false };
    let done = reader === undefined;
    try {
      while (reader && !done) {
        const timer = clock.after(limits.idleMs, () => {
          wait.late = true;
          controller.abort();
        });
        const next = await reader.read().finally(() => timer.cancel());
        done = next.done;
        if (next.done) break;
        received += next.value.length;
        if (received > maxBytes) {
          throw client.error('ENGINE_FAILED', `sent more than ${maxBytes} bytes for one request.`);
        }
        yield next.value;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (wait.late)
        throw client.error('ENGINE_TIMEOUT', `sent nothing for ${limits.idleMs} ms after ${received} bytes.`);
      if (error instanceof BridgeError) throw error;
      throw client.error('ENGINE_FAILED', `broke off its reply after ${received} bytes.`, error);
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (!done) controller.abort();
    }
  }

  /**
   * Reads the body as sound with a header.
   * @throws BridgeError ENGINE_FAILED with the engine's message when the body is text: an error page with
   * status 200
   */
  async *audio(): AsyncGenerator<Uint8Array, void, undefined> {
    let head: Uint8Array | undefined = new Uint8Array(0);
    for await (const chunk of this.bytes()) {
      if (!head) {
        yield chunk;
        continue;
      }
      // A header can come byte by byte.
      head = Buffer.concat([head, chunk]);
      const enough = isText(head) || isTextType(this.contentType) ? MAX_TEXT_BYTES : TEXT_HEAD_BYTES;
      if (head.length < enough) continue;
      yield this.#soundHead(head);
      head = undefined;
    }
    if (head?.length === 0) throw this.#context.client.error('ENGINE_FAILED', 'answered with nothing.');
    if (head) yield this.#soundHead(head);
  }

  /**
   * Reads the body as sound that may be headerless samples; its first bytes and its label decide the format.
   * @param raw usual format of the engine's samples; the label (`audio/L16;rate=…`, `x-sample-rate`) takes
   * precedence
   * @param stated format given by the user; takes precedence over the label
   * @throws BridgeError as `audio`
   */
  async *sound(raw: RawFormat, stated?: RawFormat): AsyncGenerator<SynthesisPart, void, undefined> {
    const sampleRateHz = Number(this.header('x-sample-rate') ?? this.header('x-audio-sample-rate'));
    const label = { contentType: this.header('content-type'), sampleRateHz };
    yield stated ? { kind: 'format', format: stated } : { kind: 'format', format: raw, label };
    for await (const bytes of this.audio()) yield { kind: 'audio', bytes };
  }

  /**
   * Reads the body as JSON of a known shape.
   * @throws BridgeError ENGINE_FAILED when it does not match
   */
  async json<T>(schema: ZodType<T>): Promise<T> {
    const text = await this.#text(MAX_JSON_BYTES);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.#context.client.error(
        'ENGINE_FAILED',
        `answered without JSON: ${this.#words(Buffer.from(text.slice(0, MAX_TEXT_BYTES)))}.`,
      );
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const at = parsed.error.issues[0]?.path.join('.') || 'its top';
    throw this.#context.client.error(
      'ENGINE_FAILED',
      `answered with JSON of another shape, at ${at}: ${this.#words(Buffer.from(text.slice(0, MAX_TEXT_BYTES)))}.`,
    );
  }

  /** Returns the first words of a text body, for a message; empty for anything else. Ends the request. */
  async excerpt(): Promise<string> {
    const parts: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const chunk of this.bytes()) {
        parts.push(chunk);
        length += chunk.length;
        if (length >= MAX_TEXT_BYTES) break;
      }
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
    }
    return this.#words(Buffer.concat(parts));
  }

  /** Ends the request without reading its body. */
  async cancel(): Promise<void> {
    const { controller, signal, onAbort } = this.#context;
    signal.removeEventListener('abort', onAbort);
    controller.abort();
    await this.#response.body?.cancel().catch(() => undefined);
  }

  /** @returns the first bytes of a sound @throws BridgeError ENGINE_FAILED when they are a text */
  #soundHead(head: Uint8Array): Uint8Array {
    if (!isText(head) && (!isTextType(this.contentType) || isKnownSound(head))) return head;
    const what = isTextType(this.contentType)
      ? `with ${this.contentType} in place of sound`
      : 'without sound';
    const words = this.#words(head);
    throw this.#context.client.error('ENGINE_FAILED', `answered ${what}${words ? `: ${words}` : ''}.`);
  }

  async #text(maxBytes: number): Promise<string> {
    const parts: Uint8Array[] = [];
    for await (const chunk of this.bytes(maxBytes)) parts.push(chunk);
    return Buffer.concat(parts).toString('utf8');
  }

  /** Returns the text of a body as one short line without secrets. */
  #words(bytes: Uint8Array): string {
    return this.#context.client.redact(wordsOf(bytes));
  }
}

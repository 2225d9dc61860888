import type { ZodType } from 'zod';
import type { Clock } from '../base/clock.js';
import { BridgeError, type ErrorCode } from '../base/errors.js';

const MAX_JSON_BYTES = 64 * 1024 * 1024;
const MAX_EXCERPT_BYTES = 4096;
const MAX_EXCERPT_CHARS = 300;

/** Bounds of a conversation with an engine. */
export interface HttpLimits {
  /** From the request to the reply's head. An engine that answers with whole utterances needs time to make them. */
  readonly firstByteMs: number;
  /** Between two pieces of the reply. */
  readonly idleMs: number;
  /** Of one reply. */
  readonly maxReplyBytes: number;
  /** The longest `Retry-After` that is waited for; beyond it the request fails. */
  readonly maxRetryAfterMs: number;
}

/** Makes the errors of one engine, without its secrets. */
export interface EngineErrors {
  /** @param what what happened, to follow the engine's name */
  error(code: ErrorCode, what: string, cause?: unknown): BridgeError;
  redact(text: string): string;
}

/** What a reply needs of the request that it answers. */
export interface ReplyContext {
  readonly client: EngineErrors;
  /** Ends the request. */
  readonly controller: AbortController;
  readonly signal: AbortSignal;
  /** The listener on `signal`, removed when the reply ends. */
  readonly onAbort: () => void;
  readonly clock: Clock;
  readonly limits: HttpLimits;
}

/** The reply of an engine, its body still to come. Take the body by one of the methods, or cancel it. */
export class HttpReply {
  readonly status: number;
  /** Without parameters, in lower case; empty when the engine does not say. */
  readonly contentType: string;
  readonly #response: Response;
  readonly #context: ReplyContext;

  constructor(response: Response, context: ReplyContext) {
    this.#response = response;
    this.#context = context;
    this.status = response.status;
    this.contentType = (response.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  }

  /** A header's value, undefined when it is not there. */
  header(name: string): string | undefined {
    return this.#response.headers.get(name) ?? undefined;
  }

  /**
   * The body as it comes. Ending the iteration early ends the request.
   * @throws BridgeError ENGINE_TIMEOUT when nothing came for too long, ENGINE_FAILED when it broke off or is too
   * large, or the signal's reason
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
   * The body as sound.
   * @throws BridgeError ENGINE_FAILED with the engine's words when it is a text: an error page with status 200
   */
  async *audio(): AsyncGenerator<Uint8Array, void, undefined> {
    if (isTextType(this.contentType)) throw await this.#notSound();
    let first = true;
    for await (const chunk of this.bytes()) {
      if (first && looksLikeJson(chunk)) {
        throw this.#context.client.error('ENGINE_FAILED', `answered without sound: ${this.#words(chunk)}.`);
      }
      first = false;
      yield chunk;
    }
    if (first) throw this.#context.client.error('ENGINE_FAILED', 'answered with nothing.');
  }

  /**
   * The body as JSON of a known shape.
   * @throws BridgeError ENGINE_FAILED when it is none
   */
  async json<T>(schema: ZodType<T>): Promise<T> {
    const text = await this.#text(MAX_JSON_BYTES);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.#context.client.error(
        'ENGINE_FAILED',
        `answered without JSON: ${this.#words(Buffer.from(text.slice(0, MAX_EXCERPT_BYTES)))}.`,
      );
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const at = parsed.error.issues[0]?.path.join('.') || 'its top';
    throw this.#context.client.error(
      'ENGINE_FAILED',
      `answered with JSON of another shape, at ${at}: ${this.#words(Buffer.from(text.slice(0, MAX_EXCERPT_BYTES)))}.`,
    );
  }

  /** The first words of a text body, for a message; empty for anything else. Ends the request. */
  async excerpt(): Promise<string> {
    const parts: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const chunk of this.bytes()) {
        parts.push(chunk);
        length += chunk.length;
        if (length >= MAX_EXCERPT_BYTES) break;
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

  async #notSound(): Promise<BridgeError> {
    const words = await this.excerpt();
    return this.#context.client.error(
      'ENGINE_FAILED',
      `answered with ${this.contentType} in place of sound${words ? `: ${words}` : ''}.`,
    );
  }

  async #text(maxBytes: number): Promise<string> {
    const parts: Uint8Array[] = [];
    for await (const chunk of this.bytes(maxBytes)) parts.push(chunk);
    return Buffer.concat(parts).toString('utf8');
  }

  /** What a body says, as one short line without secrets. */
  #words(bytes: Uint8Array): string {
    const text = Buffer.from(bytes.subarray(0, MAX_EXCERPT_BYTES)).toString('utf8');

    if (/[\u0000-\u0008\u000e-\u001f]/.test(text)) return '';
    const line = (errorField(text) ?? text.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim();
    const clean = this.#context.client.redact(line);
    return (clean.length > MAX_EXCERPT_CHARS ? `${clean.slice(0, MAX_EXCERPT_CHARS)}…` : clean).replace(
      /\.$/,
      '',
    );
  }
}

function isTextType(type: string): boolean {
  return /^(?:text\/|application\/(?:.*\+)?(?:json|xml)|multipart\/)/.test(type);
}

/** A JSON error under a sound's name; as samples its first bytes would be a bang at half of full scale. */
function looksLikeJson(chunk: Uint8Array): boolean {
  return /^\s*\{\s*"[\x20-\x7e]/.test(Buffer.from(chunk.subarray(0, 32)).toString('latin1'));
}

/** The message inside the JSON shapes that engines use for errors. */
function errorField(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  for (let depth = 0; depth < 4 && typeof value === 'object' && value !== null; depth++) {
    const fields = value as Record<string, unknown>;
    value = fields['message'] ?? fields['error'] ?? fields['detail'] ?? fields['msg'] ?? fields[0];
  }
  return typeof value === 'string' ? value : undefined;
}

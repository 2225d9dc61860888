import { delay, type Clock, type Timer } from '../base/clock.js';
import { BridgeError, type ErrorCode } from '../base/errors.js';
import { HttpReply, type HttpLimits } from './http-reply.js';

/** Default limits. */
export const HTTP_LIMITS: HttpLimits = {
  firstByteMs: 30_000,
  idleMs: 15_000,
  maxReplyBytes: 64 * 1024 * 1024,
  maxRetryAfterMs: 10_000,
};

const MAX_WAITS = 2;

const MASK = '***';
/**
 * Minimum length of a secret: shorter values are not keys, and masking them would make a message unreadable.
 */
const MIN_SECRET_CHARS = 4;
/** Matches half-masked keys as services quote them: `sk-pr****abcd`. The visible rest is masked too. */
const HALF_MASKED = /[\w-]*\*{3,}[\w*-]*/g;

/** Options of an HTTP client. */
export interface HttpClientOptions {
  /** Name of the engine in messages. */
  readonly engine: string;
  /** `http://host:port`, with a path if the engine is below one. */
  readonly baseUrl: string;
  /** Headers of every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Values that must not appear in an error. */
  readonly secrets?: readonly (string | undefined)[] | undefined;
  readonly limits?: Partial<HttpLimits> | undefined;
  readonly clock: Clock;
}

/** A request. */
export interface HttpRequest {
  readonly method?: 'GET' | 'POST' | undefined;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** An object is sent as JSON, a string unchanged; undefined sends no body. */
  readonly body?: string | object | undefined;
  /** Error statuses that are returned instead of thrown, such as 404 for a path that older builds lack. */
  readonly accept?: readonly number[] | undefined;
}

/**
 * HTTP client for an engine, using Node's own `fetch`. Every failure is a BridgeError that names the engine
 * and contains no key. Redirects are not followed: a key in a custom header would be sent to their target.
 */
export class HttpClient {
  readonly engine: string;
  readonly #options: HttpClientOptions;
  readonly #limits: HttpLimits;

  constructor(options: HttpClientOptions) {
    this.engine = options.engine;
    this.#options = options;
    this.#limits = { ...HTTP_LIMITS, ...options.limits };
  }

  /**
   * Sends a request and waits for the response head. After a 429 or 503 with a retry time it waits and
   * retries, within limits.
   * @returns the reply; its body must be read or cancelled
   * @throws BridgeError ENGINE_UNREACHABLE, ENGINE_DENIED, ENGINE_BUSY, ENGINE_REFUSED, ENGINE_TIMEOUT or
   * ENGINE_FAILED, or the signal's reason
   */
  async request(path: string, request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    for (let waits = 0; ; waits++) {
      const reply = await this.#send(path, request, signal);
      if (reply.status < 300 || request.accept?.includes(reply.status)) return reply;
      const error = await this.#refusal(reply);
      const waitMs = retryAfterMs(reply.header('retry-after'));
      const busy = reply.status === 429 || reply.status === 503;
      if (!busy || waitMs === undefined || waitMs > this.#limits.maxRetryAfterMs || waits >= MAX_WAITS)
        throw error;
      await delay(this.#options.clock, waitMs, signal);
    }
  }

  /**
   * Creates an error of this engine, without secrets.
   * @param what description of the fault, to follow the engine's name
   */
  error(code: ErrorCode, what: string, cause?: unknown): BridgeError {
    const message = this.redact(`The engine ${this.engine} ${what}`);
    if (cause === undefined) return new BridgeError(code, message);
    // The original message can quote a header with the key, so only a redacted copy is kept.
    return new BridgeError(code, message, { cause: new Error(this.redact(reasonOf(cause))) });
  }

  /** Returns a text without this engine's secrets. */
  redact(text: string): string {
    return redact(text, this.#options.secrets ?? []);
  }

  #url(path: string, query: HttpRequest['query'] = {}): URL {
    const url = new URL(this.#options.baseUrl.replace(/\/+$/, '') + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  async #send(path: string, request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    signal.throwIfAborted();
    const { clock, headers } = this.#options;
    const { firstByteMs } = this.#limits;
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const wait = { late: false };
    const timer: Timer = clock.after(firstByteMs, () => {
      wait.late = true;
      controller.abort();
    });
    const json = typeof request.body === 'object';
    try {
      const response = await fetch(this.#url(path, request.query), {
        method: request.method ?? 'POST',
        headers: {
          // A compressed body has no length that could be checked, and sound does not compress well.
          'accept-encoding': 'identity',
          ...(json ? { 'content-type': 'application/json' } : {}),
          ...headers,
          ...request.headers,
        },
        body: json ? JSON.stringify(request.body) : (request.body ?? null),
        redirect: 'manual',
        signal: controller.signal,
      });
      return new HttpReply(response, {
        client: this,
        controller,
        signal,
        onAbort,
        clock,
        limits: this.#limits,
      });
    } catch (error) {
      signal.removeEventListener('abort', onAbort);
      signal.throwIfAborted();
      if (wait.late)
        throw this.error('ENGINE_TIMEOUT', `did not answer within ${firstByteMs} ms (${this.#place()}).`);
      throw this.error(
        'ENGINE_UNREACHABLE',
        `cannot be reached at ${this.#place()}: ${reasonOf(error)}.`,
        error,
      );
    } finally {
      timer.cancel();
    }
  }

  #place(): string {
    const { origin, pathname } = new URL(this.#options.baseUrl);
    return origin + (pathname === '/' ? '' : pathname);
  }

  async #refusal(reply: HttpReply): Promise<BridgeError> {
    const { status } = reply;
    if (status < 400) {
      await reply.cancel();
      const to = reply.header('location') ?? 'nowhere';
      return this.error(
        'ENGINE_FAILED',
        `redirects to ${to} (status ${status}); give that address as its base URL.`,
      );
    }
    const words = await reply.excerpt();
    const said = `answered with status ${status}${words ? `: ${words}` : ''}.`;
    if (status === 401 || status === 403) return this.error('ENGINE_DENIED', said);
    if (status === 429 || status === 408 || status === 425) return this.error('ENGINE_BUSY', said);
    // The same request would be refused again.
    if (status < 500) return this.error('ENGINE_REFUSED', said);
    return this.error('ENGINE_FAILED', said);
  }
}

/**
 * Returns the message of an error, or of the cause that fetch hides: `connect ECONNREFUSED 127.0.0.1:50021`.
 */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors[0]);
  return cause instanceof Error && cause.message ? cause.message : error.message;
}

/** Converts a `Retry-After`, in seconds or as a date, to milliseconds. */
function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+(?:\.\d+)?$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/**
 * Removes secrets from a text in any form: unchanged, in a URL, or half masked.
 * @param secrets keys and tokens; undefined ones and those under four characters are ignored
 */
export function redact(text: string, secrets: readonly (string | undefined)[]): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret === undefined || secret.length < MIN_SECRET_CHARS) continue;
    for (const form of new Set([
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ s: secret }).toString().slice(2),
    ])) {
      clean = clean.replaceAll(form, MASK);
    }
  }
  return clean.replace(HALF_MASKED, MASK);
}

import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { BridgeError, ERRORS, type ErrorCode } from '../base/errors.js';
import { PACKAGE_NAME } from '../base/version.js';
import type { ServiceEventJson } from '../service/events.js';
import type { AboutJson } from '../service/routes/root.js';
import { jsonLines, serverSentEvents } from './answers.js';
import { speaksTls, tlsFailure, type ClientTls } from './client-tls.js';

/** Maximum time for a program to identify itself as the service, in ms. */
const HELLO_MS = 5000;

/** Connection settings of the service. */
export interface ClientSettings {
  readonly host: string;
  readonly port: number;
  /** Token, if the service requires one. */
  readonly token?: string | undefined;
  /** TLS settings; without them plain HTTP is used. */
  readonly tls?: ClientTls | undefined;
  /** Ends every wait, with the signal's reason as the error. */
  readonly signal: AbortSignal;
}

/** An open request, whose body the caller sends. */
export interface OpenRequest {
  readonly request: ClientRequest;
  /** Settles with the head of the answer; rejects with the error. */
  readonly response: Promise<IncomingMessage>;
}

/** Client of the control API. */
export class ServiceClient {
  readonly #settings: ClientSettings;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
  }

  /** Address of the service: `127.0.0.1:9001`. */
  get at(): string {
    const { host, port } = this.#settings;
    return `${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  /**
   * Checks that the service answers at the address.
   * @throws BridgeError SERVICE_NOT_RUNNING, SERVICE_PROTOCOL, TLS_UNTRUSTED or TLS_MISMATCH
   */
  async check(): Promise<AboutJson> {
    const timeout = AbortSignal.timeout(HELLO_MS);
    const signal = AbortSignal.any([this.#settings.signal, timeout]);
    let about: Partial<AboutJson> | null;
    try {
      about = (await this.#json(this.open('GET', '/api', {}, signal), undefined)) as typeof about;
    } catch (error) {
      if (this.#settings.signal.aborted) throw error;
      const known = error instanceof BridgeError;
      if (known && error.code !== 'SERVICE_LOST' && error.code !== 'ROUTE_UNKNOWN') throw error;
      await this.#checkScheme(signal);
      throw this.#stranger(timeout.aborted ? `it did not answer within ${HELLO_MS} ms` : undefined);
    }
    if (about?.service !== PACKAGE_NAME) throw this.#stranger();
    return about as AboutJson;
  }

  /** @throws BridgeError as answered by the service, SERVICE_NOT_RUNNING, SERVICE_LOST or SERVICE_PROTOCOL */
  async get<Answer>(path: string): Promise<Answer> {
    return (await this.#json(this.open('GET', path), undefined)) as Answer;
  }

  /** @throws as `get` */
  async post<Answer>(path: string, body?: unknown): Promise<Answer> {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    return (await this.#json(this.open('POST', path, headers), body)) as Answer;
  }

  /** @throws as `get` */
  async delete<Answer>(path: string): Promise<Answer> {
    return (await this.#json(this.open('DELETE', path), undefined)) as Answer;
  }

  /**
   * Yields all events live until the service ends, also across its restarts.
   * @param agent yields only events of this agent
   * @throws BridgeError SERVICE_LOST when the connection is lost without a last event
   */
  async *events(agent?: string): AsyncGenerator<ServiceEventJson, void, undefined> {
    let last: { type?: string; id?: string } = {};
    do {
      for await (const { id, event } of this.#follow(agent, last.id)) {
        yield event;
        last = { type: event.type, ...((id ?? last.id) !== undefined && { id: id ?? last.id! }) };
      }
    } while (last.type === 'restarting');
    if (last.type !== 'closing') throw this.#lost();
  }

  /** Yields the JSON lines of a live answer. @throws BridgeError SERVICE_LOST when it is cut off */
  async *lines(response: IncomingMessage): AsyncGenerator<unknown, void, undefined> {
    try {
      yield* jsonLines(response);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Opens a request. */
  open(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    signal: AbortSignal = this.#settings.signal,
  ): OpenRequest {
    const { host, port, token, tls } = this.#settings;
    const sent = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
    const asked = { host, port, method, path, headers: sent, signal, agent: false } as const;
    const outgoing = tls ? tlsRequest({ ...asked, ...tls }) : request(asked);
    outgoing.setNoDelay(true);
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve);
      // Errors after the answer's head are reported by the end of the answer.
      outgoing.on('error', (error) => reject(this.#failure(error)));
    });
    // A caller that does not use the answer needs no unhandled rejection either.
    response.catch(() => undefined);
    return { request: outgoing, response };
  }

  /** Returns a successful answer. @throws an error answer, as a BridgeError */
  async answer({ response }: OpenRequest): Promise<IncomingMessage> {
    const answer = await response;
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    throw problemOf(await this.#body(answer)) ?? this.#stranger();
  }

  async *#follow(
    agent: string | undefined,
    lastId: string | undefined,
  ): AsyncGenerator<{ id: string | undefined; event: ServiceEventJson }, void, undefined> {
    const query = agent === undefined ? '' : `?agent=${encodeURIComponent(agent)}`;
    const open = this.open(
      'GET',
      `/api/events${query}`,
      lastId === undefined ? {} : { 'last-event-id': lastId },
    );
    open.request.end();
    const response = await this.answer(open);
    try {
      for await (const { id, data } of serverSentEvents(response)) {
        const event = data as ServiceEventJson;
        yield { id, event };
        if (event.type === 'closing' || event.type === 'restarting') return;
      }
    } catch (error) {
      throw this.#failure(error);
    } finally {
      response.destroy();
    }
  }

  async #json(open: OpenRequest, body: unknown): Promise<unknown> {
    open.request.end(body === undefined ? undefined : JSON.stringify(body));
    const answer = await this.answer(open);
    const json = await this.#body(answer);
    if (json === undefined) throw this.#stranger();
    return json;
  }

  async #body(answer: IncomingMessage): Promise<unknown> {
    let text = '';
    try {
      for await (const chunk of answer.setEncoding('utf8')) {
        text += chunk as string;
        if (text.length > 50_000_000) throw this.#stranger();
      }
    } catch (error) {
      throw this.#failure(error);
    }
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return undefined;
    }
  }

  /** Checks for a missing `--tls`: a TLS service hangs up on plain HTTP. @throws BridgeError TLS_MISMATCH */
  async #checkScheme(signal: AbortSignal): Promise<void> {
    const { host, port, tls } = this.#settings;
    if (tls || !(await speaksTls(host, port, signal))) return;
    throw new BridgeError(
      'TLS_MISMATCH',
      `What listens at ${this.at} speaks TLS, and the command does not.`,
      {
        advice: 'Give --tls-ca with the service’s certificate, or --tls when this machine trusts it already.',
      },
    );
  }

  #failure(error: unknown): BridgeError | Error {
    if (error instanceof BridgeError) return error;
    const { signal } = this.#settings;
    if (signal.aborted) return signal.reason as Error;
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code.startsWith('HPE_')) return this.#stranger();
    if (['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'].includes(code)) {
      return new BridgeError('SERVICE_NOT_RUNNING', `No service answers at ${this.at} (${code}).`);
    }
    return tlsFailure(error as NodeJS.ErrnoException, this.at) ?? this.#lost(message);
  }

  #lost(reason?: string): BridgeError {
    const why = reason === undefined || reason === '' ? '' : `: ${reason}`;
    return new BridgeError('SERVICE_LOST', `The connection to the service at ${this.at} broke off${why}.`);
  }

  #stranger(reason = 'it gave an answer that the service would not give'): BridgeError {
    return new BridgeError('SERVICE_PROTOCOL', `What listens at ${this.at} is not the service: ${reason}.`);
  }
}

/** Returns the error in a problem of the API. */
export function problemOf(json: unknown): BridgeError | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { code, detail, advice } = json as { code?: unknown; detail?: unknown; advice?: unknown };
  if (typeof code !== 'string' || typeof detail !== 'string' || !(code in ERRORS)) return undefined;
  return new BridgeError(code as ErrorCode, detail, typeof advice === 'string' ? { advice } : {});
}

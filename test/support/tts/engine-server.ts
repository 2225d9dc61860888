import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request as a stand-in saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The body as JSON, undefined when it is none. */
  readonly json: Record<string, unknown> | undefined;
  readonly atMs: number;
}

/** How a stand-in misbehaves, or how slow it is; every field may be changed while it runs. */
export interface Manners {
  /** Before the reply's head. */
  delayMs?: number;
  /** The body comes in pieces of this size. */
  chunkBytes?: number;
  /** Between two pieces. */
  gapMs?: number;
  /** The connection is cut after so many bytes of a body. */
  cutAfterBytes?: number;
  /** This many requests fail before the rest succeed. */
  failures?: number;
  /** How they fail: a status with these headers, a JSON error with status 200, a hang, or a connection that is cut. */
  failure?: { status: number; headers?: Record<string, string>; body?: string } | 'json200' | 'hang' | 'cut';
}

/** What a route answers. */
export interface StandInReply {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: Record<string, string>;
  readonly body: Uint8Array | string | object;
  /** Sent without a length, as a server does that makes the sound while it sends it. */
  readonly chunked?: boolean;
}

/** Answers a request; undefined means 404. */
export type Route = (request: SeenRequest) => StandInReply | undefined | Promise<StandInReply | undefined>;

/** An HTTP server on loopback that stands in for an engine: it answers by one function and has manners on top. */
export class EngineServer {
  readonly requests: SeenRequest[] = [];
  readonly manners: Manners;
  readonly server: Server;
  /** Where it answers, also after it was closed. */
  baseUrl = '';
  /** Requests whose client left before the whole reply was sent. */
  aborted = 0;
  /** Requests that are being answered now, and the most that ever were. */
  active = 0;
  maxActive = 0;
  readonly #route: Route;
  readonly #sockets = new Set<Socket>();

  private constructor(route: Route, manners: Manners) {
    this.#route = route;
    this.manners = manners;
    this.server = createServer((request, response) => void this.#answer(request, response));
    this.server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Starts a stand-in on a free port. */
  static async start(route: Route, manners: Manners = {}): Promise<EngineServer> {
    const standIn = new EngineServer(route, manners);
    await new Promise<void>((resolve) => standIn.server.listen(0, '127.0.0.1', resolve));
    standIn.baseUrl = `http://127.0.0.1:${(standIn.server.address() as AddressInfo).port}`;
    return standIn;
  }

  /** The requests to a path. */
  to(path: string): SeenRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.active++;
    this.maxActive = Math.max(this.maxActive, this.active);
    let ended = false;
    response.once('close', () => {
      this.active--;
      if (!ended) this.aborted++;
    });
    try {
      const seen = await see(request);
      this.requests.push(seen);
      const { delayMs, failures = 0, failure } = this.manners;
      if (delayMs) await sleep(delayMs);
      if (failures > 0 && failure) {
        this.manners.failures = failures - 1;
        ended = misbehave(response, failure);
        return;
      }
      const reply = (await this.#route(seen)) ?? { status: 404, body: { detail: 'Not Found' } };
      ended = await this.#send(response, reply);
    } catch {
      response.destroy();
    }
  }

  /** @returns false when the client left */
  async #send(response: ServerResponse, reply: StandInReply): Promise<boolean> {
    const { chunkBytes, gapMs, cutAfterBytes } = this.manners;
    const { body } = reply;
    const isBytes = body instanceof Uint8Array;
    const bytes = isBytes ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const type = reply.type ?? (isBytes ? 'audio/wav' : 'application/json');
    response.writeHead(reply.status ?? 200, {
      'content-type': type,
      ...(reply.chunked ? {} : { 'content-length': bytes.length }),
      ...reply.headers,
    });
    const isSound = (reply.status ?? 200) < 300;
    const step = (isSound && chunkBytes) || bytes.length || 1;
    for (let at = 0; at < bytes.length; at += step) {
      if (isSound && cutAfterBytes !== undefined && at + step > cutAfterBytes) {
        response.write(bytes.subarray(at, cutAfterBytes));
        // The bytes must reach the client before the cut does.
        await sleep(20);
        response.destroy();
        return true;
      }
      if (response.destroyed) return false;
      response.write(bytes.subarray(at, at + step));
      if (gapMs && at + step < bytes.length) await sleep(gapMs);
    }
    if (response.destroyed) return false;
    await new Promise<void>((resolve) => response.end(resolve));
    return true;
  }
}

async function see(request: IncomingMessage): Promise<SeenRequest> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const url = new URL(request.url ?? '/', 'http://stand-in');
  const body = Buffer.concat(parts).toString('utf8');
  let json: Record<string, unknown> | undefined;
  try {
    json = JSON.parse(body) as Record<string, unknown>;
  } catch {
    json = undefined;
  }
  return {
    method: request.method ?? '',
    path: decodeURIComponent(url.pathname),
    query: url.searchParams,
    headers: request.headers,
    body,
    json,
    atMs: performance.now(),
  };
}

/** @returns whether the reply is complete */
function misbehave(response: ServerResponse, failure: NonNullable<Manners['failure']>): boolean {
  if (failure === 'hang') return false;
  if (failure === 'cut') {
    response.destroy();
    return true;
  }
  if (failure === 'json200') {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: 'The model is not loaded.' } }));
    return true;
  }
  response.writeHead(failure.status, { 'content-type': 'application/json', ...failure.headers });
  response.end(failure.body ?? JSON.stringify({ detail: `Failed with ${failure.status}` }));
  return true;
}

/** A string of a JSON body, empty when it is none. */
export function textField(json: Record<string, unknown> | undefined, name: string): string {
  const value = json?.[name];
  return typeof value === 'string' ? value : '';
}

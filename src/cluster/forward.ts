import {
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import { BridgeError } from '../base/errors.js';
import { toProblem } from '../service/problem.js';
import { NDJSON_TYPE } from '../service/speech-answer.js';
import { renamed } from './answers.js';
import type { NodeLink } from './link.js';
import type { AgentOfNode } from './names.js';
import { RunningSpeeches } from './running.js';

/** Maximum JSON answer of another node, in bytes. */
const MAX_JSON_BYTES = 16 * 1024 * 1024;
/** Maximum line of a live answer, in bytes: far more than the samples of one frame. */
const MAX_LINE_BYTES = 1024 * 1024;
/** Headers that describe a body and the wanted answer; those that identify the caller are not passed on. */
const PASSED_ON = ['accept', 'content-type', 'content-length', 'content-encoding', 'expect'] as const;

/** A request to another node. */
export interface NodeRequest {
  readonly method: string;
  /** Path and query, with the agent's name on that node. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
}

/** Returns the headers of a request to another node. */
export function passedOn(headers: IncomingMessage['headers']): OutgoingHttpHeaders {
  return {
    host: 'localhost',
    ...Object.fromEntries(
      PASSED_ON.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]]),
    ),
  };
}

/** Sends a request over a link. The link ends with the answer. */
export function ask(link: NodeLink, { method, path, headers }: NodeRequest): ClientRequest {
  return httpRequest({ method, path, headers, createConnection: () => link });
}

/** Returns the reason why a request over a link failed. */
export function failureOf(link: NodeLink, error?: Error): BridgeError {
  const { errored } = link;
  if (errored instanceof BridgeError) return errored;
  const reason = (errored ?? error)?.message ?? 'it closed the connection';
  return new BridgeError('NODE_LINK_BROKEN', `Node ${link.peer} gave no answer: ${reason}.`);
}

/** Receives a node's answer, in the order of arrival. */
export interface AnswerListener {
  /** Called with the head. `type` is its media type. */
  head(status: number, type: string, headers: IncomingMessage['headers']): void;
  /** Called with the whole JSON of an answer, renamed. The answer may stay open for a while without further content. */
  json(json: unknown): void;
  /** Called with a line of a live answer, renamed. @returns false to pause until `resume` */
  line(event: unknown): boolean;
  /** Called at its end; with the reason when it was cut off. */
  end(error: BridgeError | undefined): void;
}

/**
 * Reads the answer to a request over a link: JSON once it is whole, live lines one by one.
 * @param shown returns the shown name of an agent of that node
 * @returns continues reading after a pause
 */
export function readAnswer(
  link: NodeLink,
  request: ClientRequest,
  shown: (agent: AgentOfNode) => string,
  listener: AnswerListener,
): { resume(): void } {
  const running = new RunningSpeeches(1000);
  let answer: IncomingMessage | undefined;
  let ended = false;
  const end = (error?: BridgeError): void => {
    if (ended) return;
    ended = true;
    // A live answer reports each speech's end, also when the link is lost.
    if (error) for (const event of running.endAll(error)) listener.line({ ...event, node: link.peer });
    listener.end(error);
  };
  request.once('response', (response) => {
    answer = response;
    const type = (response.headers['content-type'] ?? '').split(';')[0]!.trim();
    listener.head(response.statusCode ?? 500, type, response.headers);
    const take = type === NDJSON_TYPE ? lines : wholeJson;
    const push = take((json) => {
      const told = renamed(json, link.peer, shown);
      if (type !== NDJSON_TYPE) return listener.json(told);
      running.hear(told as Parameters<RunningSpeeches['hear']>[0]);
      if (!listener.line(told)) response.pause();
    });
    response.on('data', (chunk: Buffer) => {
      try {
        push(chunk);
      } catch (error) {
        link.destroy(error as BridgeError);
      }
    });
    response.once('end', () => end());
    response.once('close', () => end(response.complete ? undefined : failureOf(link)));
    response.on('error', () => undefined);
  });
  request.on('error', (error) => {
    // An answered request may still be sending; its answer counts.
    if (!answer) end(failureOf(link, error));
  });
  link.once('close', () => {
    if (!answer) end(failureOf(link));
  });
  return { resume: () => answer?.resume() };
}

/** Collects the chunks of one JSON text, and reports it as soon as it is whole. */
function wholeJson(tell: (json: unknown) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let told = false;
  return (chunk) => {
    if (told) return;
    bytes += chunk.length;
    if (bytes > MAX_JSON_BYTES) throw new BridgeError('NODE_LINK_BROKEN', 'Its answer is too long.');
    chunks.push(chunk);
    const last = chunk[chunk.length - 1];
    // Only text that ends like an object or array can be whole: a long text is not parsed again at each chunk.
    if (last !== 0x7d && last !== 0x5d) return;
    const json = parsed(Buffer.concat(chunks).toString('utf8'));
    if (json === undefined) return;
    told = true;
    chunks = [];
    tell(json);
  };
}

/** Splits chunks into lines of one JSON object each. */
function lines(tell: (json: unknown) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      const json = parsed(rest.subarray(0, at).toString('utf8'));
      rest = rest.subarray(at + 1);
      if (json !== undefined) tell(json);
    }
    if (rest.length > MAX_LINE_BYTES) throw new BridgeError('NODE_LINK_BROKEN', 'A line of it is too long.');
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Collects a whole answer. @throws BridgeError when there is none */
export function wholeAnswer(
  link: NodeLink,
  request: ClientRequest,
  shown: (agent: AgentOfNode) => string,
): Promise<{ status: number; json: unknown }> {
  return new Promise((resolve, reject) => {
    let status = 500;
    let json: unknown;
    readAnswer(link, request, shown, {
      head: (code) => (status = code),
      json: (told) => (json = told),
      line: () => true,
      end: (error) => {
        if (error && json === undefined) reject(error);
        else resolve({ status, json });
      },
    });
  });
}

/** Returns a failure as one part of an answer. */
export function failedAnswer(error: BridgeError): { status: number; json: unknown } {
  const problem = toProblem(error);
  return { status: problem.status, json: problem };
}

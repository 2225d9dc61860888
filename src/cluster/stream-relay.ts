import { WebSocket, WebSocketServer, type RawData } from 'ws';
import type { IncomingMessage } from 'node:http';
import { BridgeError, ERRORS, type ErrorCode } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { Slots } from '../service/limits.js';
import { toProblem } from '../service/problem.js';
import { refuseWithProblem } from '../service/refuse-upgrade.js';
import type { UpgradeRequest } from '../transport/listener.js';
import { renamed } from './answers.js';
import { failureOf } from './forward.js';
import type { NodeLink } from './link.js';
import { shownName, type AgentOfNode, type NameView } from './names.js';
import { RunningSpeeches } from './running.js';

/** Subprotocol, as for a stream of this node. */
const STREAM_SUBPROTOCOL = 'mmdagent-bridge';
/** Maximum number of streams to other nodes. */
const MAX_STREAMS = 1024;
/** Bytes waiting for the other node at which reading from the client stops. */
const SHUT_BYTES = 512 * 1024;
/** Overhead of a waiting message beside its bytes. */
const ENTRY_BYTES = 64;
/** Bytes waiting for a client that does not read, above which it is dropped. */
const MAX_UNREAD_BYTES = 1024 * 1024;
/** Interval of the pings to both sides, in ms, and the number of pings that may stay unanswered. */
const HEARTBEAT_MS = 15_000;
const MAX_UNANSWERED = 4;

/** Messages that overtake sound waiting for the other node, above all a barge-in. */
const URGENT = /^\s*\{[^}]*"type"\s*:\s*"(?:interrupt|stop|pause|resume|gain|commands)"/;

/** Options of the relay. */
export interface StreamRelayOptions {
  readonly view: NameView;
  readonly logger: Logger;
  readonly maxMessageBytes: number;
}

/** Relays streams (WebSockets) of this node's clients to agents of other nodes, message by message. */
export class StreamRelay {
  readonly #options: StreamRelayOptions;
  readonly #server: WebSocketServer;
  readonly #clients = new Set<WebSocket>();
  readonly #slots = new Slots(MAX_STREAMS, 'STREAM_LIMIT', 'streams to other nodes');

  constructor(options: StreamRelayOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxMessageBytes,
      handleProtocols: (protocols) => (protocols.has(STREAM_SUBPROTOCOL) ? STREAM_SUBPROTOCOL : false),
    });
  }

  /** Takes an upgrade; it is refused when the other node refuses it. @throws BridgeError STREAM_LIMIT */
  take({ request, socket, head }: UpgradeRequest, agent: AgentOfNode, link: NodeLink): void {
    const leave = this.#slots.take();
    socket.once('close', leave);
    const path = `/api/agents/${encodeURIComponent(agent.name)}/stream`;
    const upstream = new WebSocket(`ws://localhost${path}`, {
      createConnection: () => link,
      perMessageDeflate: false,
      // The other node uses the stream protocol, whose longest message is a list of results.
      maxPayload: 4 * 1024 * 1024,
    });
    const onGone = (): void => {
      link.destroy(new BridgeError('CLOSED', 'The client went away.'));
    };
    socket.once('close', onGone);
    const refuse = (error: BridgeError): void => {
      socket.off('close', onGone);
      link.destroy();
      if (!socket.destroyed) refuseWithProblem(socket, error);
    };
    upstream.once('unexpected-response', (_request, response) => {
      void problemOf(response, agent.node).then(refuse);
    });
    const onError = (error: Error): void => refuse(failureOf(link, error));
    upstream.once('error', onError);
    upstream.once('open', () => {
      upstream.off('error', onError);
      // No message may arrive before there is a client to pass it to.
      upstream.pause();
      socket.off('close', onGone);
      if (socket.destroyed) return onGone();
      this.#server.handleUpgrade(request, socket, head, (client) =>
        this.#join(client, upstream, link, agent),
      );
    });
  }

  /** Closes every stream with a close handshake. */
  close(): void {
    for (const client of this.#clients) client.close(1001, 'the service is ending');
  }

  #join(client: WebSocket, upstream: WebSocket, link: NodeLink, agent: AgentOfNode): void {
    const { view, logger } = this.#options;
    const shown = (one: AgentOfNode): string => shownName(view, one);
    const running = new RunningSpeeches(1000);
    const waiting = new WaitingMessages(client, upstream, link);
    this.#clients.add(client);
    upstream.on('message', (data: RawData) => {
      const told = renamed(JSON.parse((data as Buffer).toString('utf8')), agent.node, shown);
      running.hear(told as Parameters<RunningSpeeches['hear']>[0]);
      this.#tell(client, told);
    });
    client.on('message', (data: RawData, isBinary) => waiting.add(data as Buffer, isBinary));
    client.on('error', (error) =>
      logger.info({ agent: agent.name }, `a stream was closed: ${error.message}`),
    );
    upstream.on('error', () => undefined);
    const stopWatch = watch(client);
    client.once('close', (code) => {
      stopWatch();
      this.#clients.delete(client);
      if (code === 1000) waiting.end();
      else link.destroy(new BridgeError('CLOSED', 'The client of the stream went away.'));
    });
    upstream.once('close', (code) => {
      if (client.readyState !== WebSocket.OPEN) return;
      if (code !== 1006) return client.close(code === 1005 ? 1000 : code);
      const error = failureOf(link);
      for (const event of running.endAll(error)) this.#tell(client, { ...event, node: agent.node });
      this.#tell(client, { type: 'error', error: toProblem(error), speech: null });
      // RFC 6455 §7.4.1: 1011, the server met an unexpected condition.
      client.close(1011, 'the other node is lost');
    });
    upstream.resume();
  }

  #tell(client: WebSocket, message: unknown): void {
    if (client.readyState !== WebSocket.OPEN) return;
    const { type } = message as { type?: unknown };
    if (type === 'position' && client.bufferedAmount > MAX_UNREAD_BYTES / 4) return;
    if (client.bufferedAmount > MAX_UNREAD_BYTES) return client.terminate();
    client.send(JSON.stringify(message), () => undefined);
  }
}

/** Bounded queue of a client's messages for which its link has no room yet, in order. */
class WaitingMessages {
  readonly #client: WebSocket;
  readonly #upstream: WebSocket;
  readonly #link: NodeLink;
  #queue: { readonly data: Buffer; readonly isBinary: boolean }[] = [];
  #bytes = 0;
  #ended = false;

  constructor(client: WebSocket, upstream: WebSocket, link: NodeLink) {
    this.#client = client;
    this.#upstream = upstream;
    this.#link = link;
    link.on('drain', () => this.#flush());
  }

  add(data: Buffer, isBinary: boolean): void {
    const message = { data, isBinary };
    // It may overtake sound only, not the text messages before it.
    const urgent =
      !isBinary && this.#queue.every((other) => other.isBinary) && URGENT.test(data.toString('utf8'));
    if (urgent) this.#queue.unshift(message);
    else this.#queue.push(message);
    this.#bytes += data.length + ENTRY_BYTES;
    this.#flush();
    if (this.#bytes > SHUT_BYTES) this.#client.pause();
  }

  /** Ends the queue after a clean close by the client: queued messages are still sent. */
  end(): void {
    this.#ended = true;
    this.#flush();
  }

  #flush(): void {
    let sent = 0;
    while (sent < this.#queue.length && !this.#link.writableNeedDrain) {
      const { data, isBinary } = this.#queue[sent]!;
      if (this.#upstream.readyState === WebSocket.OPEN) this.#upstream.send(data, { binary: isBinary });
      this.#bytes -= data.length + ENTRY_BYTES;
      sent += 1;
    }
    if (sent > 0) this.#queue = this.#queue.slice(sent);
    if (this.#bytes <= SHUT_BYTES / 2 && this.#client.isPaused) this.#client.resume();
    if (this.#ended && this.#queue.length === 0) this.#upstream.close(1000);
  }
}

/** Pings a client, and drops one that does not answer. */
function watch(client: WebSocket): () => void {
  let unanswered = 0;
  client.on('pong', () => (unanswered = 0));
  client.on('message', () => (unanswered = 0));
  const timer = setInterval(() => {
    if (client.isPaused) unanswered = 0;
    else if ((unanswered += 1) > MAX_UNANSWERED) return client.terminate();
    client.ping('alive');
  }, HEARTBEAT_MS).unref();
  return () => clearInterval(timer);
}

/** Reads the problem with which another node refused a stream. */
async function problemOf(response: IncomingMessage, node: string): Promise<BridgeError> {
  let text = '';
  try {
    for await (const chunk of response.setEncoding('utf8')) text += (chunk as string).slice(0, 10_000);
    const { code, detail } = JSON.parse(text) as { code?: string; detail?: string };
    if (code !== undefined && code in ERRORS && detail !== undefined) {
      return new BridgeError(code as ErrorCode, detail);
    }
  } catch {
    // Reported below.
  }
  return new BridgeError(
    'NODE_LINK_BROKEN',
    `Node ${node} refused the stream with ${response.statusCode ?? 0}.`,
  );
}

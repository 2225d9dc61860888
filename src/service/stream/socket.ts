import { WebSocket, WebSocketServer } from 'ws';
import type { UpgradeRequest } from '../../transport/listener.js';
import type { ServiceContext } from '../context.js';
import { isLocalCaller } from '../guards.js';
import { goesOnWithout, requireVerb } from '../nodes.js';
import { StreamSession, type StreamPeer } from './session.js';

/** Subprotocol that browsers request beside the one with their token. */
const STREAM_SUBPROTOCOL = 'mmdagent-bridge';
/** Maximum number of unanswered pings in a row while the client is read. */
const MAX_UNANSWERED = 4;
/** Maximum time for clients to close when the service ends, in ms. */
const CLOSE_MS = 500;

/** Client of a socket. */
type Client = Pick<StreamPeer, 'remote' | 'isLocal' | 'requireVerb'> & { goesOnWithout(): boolean };

/** WebSockets of streams: accepts them, pings them, and closes them with the service. */
export class StreamSockets {
  readonly #context: ServiceContext;
  readonly #server: WebSocketServer;
  readonly #sockets = new Set<WebSocket>();

  constructor(context: ServiceContext) {
    this.#context = context;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: context.limits.maxStreamMessageBytes,
      // A browser's token is among the subprotocols, and must not be echoed.
      handleProtocols: (protocols) => (protocols.has(STREAM_SUBPROTOCOL) ? STREAM_SUBPROTOCOL : false),
    });
  }

  /** Accepts an upgrade. @throws BridgeError STREAM_LIMIT, AGENT_NAME_INVALID or AGENT_LIMIT */
  take({ request, socket, head }: UpgradeRequest, agentName: string): void {
    this.#context.bridge.visitAgent(agentName);
    const leave = this.#context.streams.take();
    socket.once('close', leave);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const { remoteAddress, remotePort } = request.socket;
      const remote = `${remoteAddress ?? 'a client'}:${remotePort ?? 0}`;
      this.#serve(webSocket, agentName, {
        remote,
        isLocal: isLocalCaller(request),
        requireVerb: (verb) => requireVerb(request, verb),
        goesOnWithout: () => goesOnWithout(request),
      });
    });
  }

  /** Closes every socket cleanly, and cuts off clients that do not close. */
  async close(): Promise<void> {
    const closing = [...this.#sockets].map(
      (webSocket) =>
        new Promise<void>((resolve) => {
          const timer = setTimeout(() => webSocket.terminate(), CLOSE_MS);
          webSocket.once('close', () => {
            clearTimeout(timer);
            resolve();
          });
          webSocket.resume();
          webSocket.close(1001, 'the service is ending');
        }),
    );
    await Promise.all(closing);
  }

  #serve(webSocket: WebSocket, agentName: string, client: Client): void {
    const { remote } = client;
    const { logger } = this.#context.bridge;
    this.#sockets.add(webSocket);
    const session = new StreamSession(this.#context, agentName, peerOf(webSocket, client));
    webSocket.on('message', (data, isBinary) => {
      if (isBinary) session.sound(data as Buffer);
      else session.text((data as Buffer).toString('utf8'));
    });
    webSocket.on('error', (error) => {
      logger.info({ agent: agentName, remote }, `a stream was closed: ${error.message}`);
    });
    const stopWatch = this.#watch(webSocket);
    webSocket.on('close', (code) => {
      stopWatch();
      this.#sockets.delete(webSocket);
      session.leave(code === 1000 || client.goesOnWithout());
    });
  }

  /** Pings a client to notice a silent loss. One that is not read cannot answer; a failed write reports its loss. */
  #watch(webSocket: WebSocket): () => void {
    let unanswered = 0;
    webSocket.on('pong', () => (unanswered = 0));
    webSocket.on('message', () => (unanswered = 0));
    const timer = setInterval(() => {
      if (webSocket.isPaused) unanswered = 0;
      else if ((unanswered += 1) > MAX_UNANSWERED) return webSocket.terminate();
      webSocket.ping('alive');
    }, this.#context.limits.heartbeatMs).unref();
    return () => clearInterval(timer);
  }
}

function peerOf(webSocket: WebSocket, client: Client): StreamPeer {
  return {
    ...client,
    get unsentBytes() {
      return webSocket.bufferedAmount;
    },
    send: (text) => {
      // Write errors are reported by the end of the socket.
      if (webSocket.readyState === WebSocket.OPEN) webSocket.send(text, () => undefined);
    },
    read: (on) => (on ? webSocket.resume() : webSocket.pause()),
    drop: () => webSocket.terminate(),
  };
}

import { WebSocket, WebSocketServer } from 'ws';
import type { UpgradeRequest } from '../../transport/listener.js';
import type { ServiceContext } from '../context.js';
import { isLocalCaller } from '../guards.js';
import { goesOnWithout, requireVerb } from '../nodes.js';
import { StreamSession, type StreamPeer } from './session.js';

/** What browsers ask for beside the token that they bring as a subprotocol. */
const STREAM_SUBPROTOCOL = 'mmdagent-bridge';
/** How often in a row a ping may stay unanswered while the client is read. */
const MAX_UNANSWERED = 4;
/** How long a client may take to close when the service ends, in ms. */
const CLOSE_MS = 500;

/** Who opened a socket. */
type Client = Pick<StreamPeer, 'remote' | 'isLocal' | 'requireVerb'> & { goesOnWithout(): boolean };

/** The WebSockets of streams: takes them on, keeps watch that they live, closes them with the service. */
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
      // A browser's token comes among the subprotocols, and must not be said back.
      handleProtocols: (protocols) => (protocols.has(STREAM_SUBPROTOCOL) ? STREAM_SUBPROTOCOL : false),
    });
  }

  /** Takes an upgrade on. @throws BridgeError STREAM_LIMIT, AGENT_NAME_INVALID or AGENT_LIMIT */
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

  /** Closes every one, in good order, and cuts off who does not close. */
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

  /** A client that is silently gone answers no ping; one that is not read cannot, and is told by the write that fails. */
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
      // Errors of a write come as the end of the socket.
      if (webSocket.readyState === WebSocket.OPEN) webSocket.send(text, () => undefined);
    },
    read: (on) => (on ? webSocket.resume() : webSocket.pause()),
    drop: () => webSocket.terminate(),
  };
}

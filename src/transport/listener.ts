import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
  type Server,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { BridgeError } from '../base/errors.js';
import type { HeldSocket } from '../keeper/keeper-client.js';
import type { TlsFiles } from './tls.js';

/** An upgrade request. */
export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly url: URL;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** Set when another process holds a copy of the socket; released when the socket closes here. */
  readonly heldSocket?: HeldSocket | undefined;
}

/** Handles an upgrade and returns true, or returns false for a path of another route. */
export type UpgradeRoute = (upgrade: UpgradeRequest) => boolean;

/** Address to listen on. */
export interface ListenAddress {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

/** Maximum time of a TLS handshake, in ms. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Maximum time until the request of a connection that was handed in, in ms. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Maximum time until a request that no other process has read, in ms; one that was read elsewhere never arrives. */
const UNREAD_MS = 250;

/** Beginning of a request. */
const REQUEST_LINE = /^[A-Z]+ \S/;

/**
 * The only port of the service, shared by avatars, the API and its followers. Upgrades are offered to the routes in
 * turn; plain requests go to one handler.
 */
export class Listener {
  readonly server: Server;
  /** True when it uses TLS. */
  readonly secure: boolean;
  readonly #routes: UpgradeRoute[] = [];
  #onRequest: RequestListener | undefined;
  #refused: ((path: string, reason: string) => void) | undefined;
  /** Connections that were handed in and whose first request has not arrived. */
  readonly #heldSockets = new Map<Duplex, { readonly socket: Socket; readonly heldSocket: HeldSocket }>();
  readonly #answering = new Set<ServerResponse>();
  /** Connections that were answered and wait for their next request. */
  readonly #idle = new Set<Socket>();
  /** Connections with a close listener, which is added once for all their requests. */
  readonly #followed = new WeakSet<Socket>();
  #retired = false;
  #onRetired: (() => void) | undefined;

  /** @param tls when given, only TLS is accepted */
  constructor(tls?: TlsFiles) {
    const onRequest: RequestListener = (request, response) => {
      const { socket } = request;
      this.#takeHeldSocket(socket)?.release();
      this.#idle.delete(socket);
      this.#answering.add(response);
      response.once('close', () => {
        this.#answering.delete(response);
        this.#onIdle(socket);
        this.#checkRetired();
      });
      if (this.#onRequest) return this.#onRequest(request, response);
      response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' });
      response.end('This bridge serves avatars only: connect with a WebSocket.\n');
    };
    this.secure = tls !== undefined;
    this.server = tls
      ? createTlsServer({ ...tls, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, onRequest)
      : createServer(onRequest);
    this.server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
  }

  /** Sets the handler of plain HTTP requests. */
  handleRequests(handler: RequestListener): void {
    this.#onRequest = handler;
  }

  /** Adds a route for upgrades. */
  addUpgradeRoute(route: UpgradeRoute): void {
    this.#routes.push(route);
  }

  /** Calls `listener` for every upgrade that no route handled. */
  onRefused(listener: (path: string, reason: string) => void): void {
    this.#refused = listener;
  }

  /**
   * Starts listening.
   * @returns the address with the real port
   * @throws BridgeError PORT_IN_USE, HOST_INVALID or LISTEN_DENIED
   */
  listen(address: ListenAddress): Promise<ListenAddress> {
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, address));
      this.server.once('error', onError);
      this.server.listen(address.port, address.host, () => {
        this.server.off('error', onError);
        const { port } = this.server.address() as AddressInfo;
        resolve({ host: address.host, port });
      });
    });
  }

  /**
   * Takes a connection that another process has accepted and still holds a copy of. Nothing has been read from it yet.
   * @param held socket released as soon as it turns out to be a plain request, or closes
   */
  take(socket: Socket, heldSocket: HeldSocket): void {
    if (this.#retired && heldSocket.held && socket.bytesRead === 0) return passUnread(socket, heldSocket);
    heldSocket.line.stage('request');
    this.#heldSockets.set(socket, { socket, heldSocket });
    // The server's own timeouts do not cover connections that are handed in.
    const timer = setTimeout(() => {
      if (this.#heldSockets.has(socket)) socket.destroy();
    }, REQUEST_TIMEOUT_MS).unref();
    socket.once('close', () => {
      clearTimeout(timer);
      this.#heldSockets.delete(socket);
      heldSocket.release();
      this.#checkRetired();
    });
    this.server.emit('connection', socket);
  }

  /**
   * Takes a connection whose request another process may have read in part. If nothing was read, the request is answered
   * as usual; else it is lost with that process, and the client is asked to try again.
   * @param held socket as in `take`
   */
  takeAgain(socket: Socket, heldSocket: HeldSocket): void {
    const onReadable = (): void => {
      clearTimeout(timer);
      socket.off('readable', onReadable);
      const head = socket.read() as Buffer | null;
      if (!head || !REQUEST_LINE.test(head.toString('latin1', 0, 16))) return refuseRestarted(socket);
      socket.unshift(head);
      socket.off('close', onClose);
      this.take(socket, heldSocket);
    };
    const onClose = (): void => {
      clearTimeout(timer);
      heldSocket.release();
    };
    const timer = setTimeout(() => {
      socket.off('readable', onReadable);
      refuseRestarted(socket);
    }, UNREAD_MS).unref();
    socket.on('error', () => socket.destroy());
    socket.once('close', onClose);
    socket.on('readable', onReadable);
  }

  /**
   * Stops answering because another process takes over. A connection that waits for its next request is closed, so that
   * the client reconnects there; one whose first request has not arrived is handed over.
   * @returns when every request received here has been answered
   */
  retire(): Promise<void> {
    this.#retired = true;
    for (const socket of this.#idle) socket.end();
    for (const { socket, heldSocket } of this.#heldSockets.values()) {
      if (heldSocket.held && socket.bytesRead === 0) passUnread(socket, heldSocket);
    }
    return new Promise((resolve) => {
      this.#onRetired = resolve;
      this.#checkRetired();
    });
  }

  /** Undoes `retire`: this process answers again. */
  resume(): void {
    this.#retired = false;
    this.#onRetired = undefined;
  }

  /** Stops listening and ends every plain HTTP connection; upgraded sockets belong to their routes. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.server.listening) return resolve();
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  #onIdle(socket: Socket): void {
    if (socket.destroyed) return;
    if (this.#retired) return void socket.end();
    this.#idle.add(socket);
    if (this.#followed.has(socket)) return;
    this.#followed.add(socket);
    socket.once('close', () => this.#idle.delete(socket));
  }

  #checkRetired(): void {
    if (this.#heldSockets.size === 0 && this.#answering.size === 0) this.#onRetired?.();
  }

  #takeHeldSocket(socket: Duplex): HeldSocket | undefined {
    const heldSocket = this.#heldSockets.get(socket)?.heldSocket;
    this.#heldSockets.delete(socket);
    return heldSocket;
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const heldSocket = this.#takeHeldSocket(socket);
    this.#checkRetired();
    // Until a route has taken the socket, an error on it has no other listener and would end the process.
    socket.on('error', () => socket.destroy());
    let url: URL;
    try {
      url = new URL(request.url ?? '/', 'http://localhost');
    } catch {
      return refuseUpgrade(socket, 400, 'The address of the request is malformed.');
    }
    const upgrade = { request, url, socket, head, heldSocket };
    for (const route of this.#routes) if (route(upgrade)) return;
    heldSocket?.release();
    this.#refused?.(url.pathname, 'no such path');
    refuseUpgrade(socket, 404, `There is no WebSocket at ${url.pathname}.`);
  }
}

/** Refuses a request that was lost in a restart; an avatar tries again (protocol.md §1). */
function refuseRestarted(socket: Socket): void {
  refuseUpgrade(socket, 503, 'The service has just been restarted; please ask again.');
  // Without reading, the other end's close would not be noticed.
  socket.resume();
}

/** Gives an unread connection to the next process. */
function passUnread(socket: Socket, heldSocket: HeldSocket): void {
  heldSocket.line.stage('fresh');
  socket.destroy();
  heldSocket.pass();
}

/**
 * Refuses an upgrade. Never with 429: it makes an avatar try again with ever longer paths (protocol.md §1).
 * @param status an HTTP status
 * @param reason one sentence, sent as plain text
 */
export function refuseUpgrade(socket: Duplex, status: number, reason: string): void {
  const body = `${reason}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\n` +
      `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** Returns the reason why listening failed. @param error as Node reports it */
export function listenError(error: NodeJS.ErrnoException, { host, port }: ListenAddress): BridgeError {
  const at = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new BridgeError('PORT_IN_USE', `Port ${port} on ${host} is in use.`, { cause: error });
    case 'EACCES':
    case 'EPERM':
      return new BridgeError('LISTEN_DENIED', `Listening on ${at} is not allowed.`, { cause: error });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      return new BridgeError('HOST_INVALID', `${host} is no address of this machine.`, { cause: error });
    default:
      return new BridgeError('INTERNAL', `Listening on ${at} failed: ${error.message}.`, { cause: error });
  }
}

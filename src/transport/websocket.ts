import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Connection, ConnectionEvents } from '../agent/connection.js';
import { refuseUpgrade, type UpgradeRoute } from './listener.js';
import { frameBytes, writeFrame } from './server-frame.js';

/** An avatar's messages have at most 2,047 bytes (protocol.md §1); whoever sends more is none. */
const MAX_PAYLOAD_BYTES = 65_536;

const TEXT = 0x1;
const BINARY = 0x2;
const PING = 0x9;

/** What the avatars' route needs. */
export interface AvatarRouteOptions {
  /** Where avatars connect: `/chat`; `/chat/NAME` names one. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Demanded as `?token=` when set. */
  readonly tokenMatches?: (token: string | null) => boolean;
  /**
   * Takes a connection on under the name of its path, or `undefined` for the path without one.
   * @throws BridgeError when it may not come; it is then refused with a reason
   */
  accept(name: string | undefined, connection: Connection): void;
}

/** The avatars' side of the port: their upgrades in, connections out. Owns their sockets. */
export class AvatarRoute {
  readonly #options: AvatarRouteOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_PAYLOAD_BYTES,
    // A message cut in the middle of a character must not end the connection (protocol.md §1).
    skipUTF8Validation: true,
  });
  readonly #connections = new Set<WebSocketConnection>();
  #closed = false;

  constructor(options: AvatarRouteOptions) {
    this.#options = options;
  }

  /** For `Listener.addUpgradeRoute`. */
  readonly route: UpgradeRoute = ({ request, url, socket, head }) => {
    const name = this.#nameOf(url.pathname);
    if (name === null) return false;
    const { logger, tokenMatches, clock } = this.#options;
    const refuse = (status: number, reason: string): true => {
      logger.warn({ remote: remoteOf(request), status }, `an avatar was refused: ${reason}`);
      refuseUpgrade(socket, status, reason);
      return true;
    };
    if (this.#closed) return refuse(503, 'The bridge is closing.');
    // The avatar sends no Origin; whatever does is a web page, which has no business here.
    if (request.headers.origin !== undefined) return refuse(403, 'Web pages cannot connect as an avatar.');
    if (tokenMatches && !tokenMatches(url.searchParams.get('token'))) {
      return refuse(403, 'The token in the path (?token=…) is missing or wrong.');
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#adopt(new WebSocketConnection(webSocket, socket, remoteOf(request), clock.nowMs()), name);
    });
    return true;
  };

  /** Drops every avatar's connection, which ends the avatars: only when the service itself ends. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.destroy();
  }

  #adopt(connection: WebSocketConnection, name: string | undefined): void {
    this.#connections.add(connection);
    connection.events.on('closed', () => this.#connections.delete(connection));
    try {
      this.#options.accept(name, connection);
    } catch (error) {
      const reason = error instanceof BridgeError ? error.message : String(error);
      this.#options.logger.warn({ remote: connection.remote }, `an avatar was refused: ${reason}`);
      connection.destroy();
    }
  }

  /** The name in a path, `undefined` for none, `null` for a path that is not the avatars'. */
  #nameOf(pathname: string): string | undefined | null {
    const { path } = this.#options;
    if (pathname === path || pathname === `${path}/`) return undefined;
    if (!pathname.startsWith(`${path}/`)) return null;
    try {
      return decodeURIComponent(pathname.slice(path.length + 1));
    } catch {
      return pathname.slice(path.length + 1);
    }
  }
}

/**
 * One avatar's WebSocket as a connection. No CLOSE frame ever leaves it: the avatar would read it as data
 * (protocol.md §1).
 *
 * What comes in is the library's affair. What goes out is written here, in one piece, past its sender: a head and a
 * payload in two pieces cost half as much again as one (`npm run bench`, cpu), and one write a frame is what the
 * avatar needs (protocol.md §2). The library's sender has no state of its own as long as nothing is compressed.
 */
export class WebSocketConnection implements Connection {
  readonly remote: string;
  readonly openedAtMs: number;
  readonly events = new Emitter<ConnectionEvents>();
  readonly canMark = true;
  readonly #webSocket: WebSocket;
  readonly #socket: Duplex;
  #closeReason = 'the avatar closed it, or its program ended';
  #closed = false;

  constructor(webSocket: WebSocket, socket: Duplex, remote: string, openedAtMs: number) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.remote = remote;
    this.openedAtMs = openedAtMs;
    webSocket.binaryType = 'nodebuffer';
    webSocket.on('message', (data) => this.events.emit('message', data as Buffer));
    webSocket.on('pong', (payload) => this.events.emit('mark', payload));
    webSocket.on('error', (error) => {
      this.#closeReason = error.message;
      webSocket.terminate();
    });
    webSocket.on('close', () => {
      if (this.#closed) return;
      this.#closed = true;
      this.events.emit('closed', this.#closeReason);
    });
  }

  get unsentBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  /** A write's error arrives as the connection's end, which is told once, there. */
  send(unit: Uint8Array, mark?: Uint8Array): void {
    if (this.#closed || this.#webSocket.readyState !== WebSocket.OPEN) return;
    const bytes = Buffer.allocUnsafe(frameBytes(unit.length) + (mark ? frameBytes(mark.length) : 0));
    const end = writeFrame(bytes, 0, isAudio(unit) ? BINARY : TEXT, unit);
    if (mark) writeFrame(bytes, end, PING, mark);
    this.#socket.write(bytes);
  }

  destroy(): void {
    this.#closeReason = 'the bridge dropped it';
    this.#webSocket.terminate();
  }
}

function isAudio(unit: Uint8Array): boolean {
  return unit[0] === 0x53 && unit[1] === 0x4e && unit[2] === 0x44;
}

function remoteOf(request: IncomingMessage): string {
  const { remoteAddress, remotePort } = request.socket;
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
}

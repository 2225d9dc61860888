import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Clock } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Connection, LinkState } from '../agent/connection.js';
import type { HeldSocket } from '../keeper/keeper-client.js';
import { sharedNowMs, type SlotState } from '../keeper/shared-state.js';
import { adoptWebSocket, followFrames, WEB_SOCKET_OPTIONS } from './adopt.js';
import { refuseUpgrade, type UpgradeRoute } from './listener.js';
import type { AvatarFacts } from './socket-connection.js';
import { WebSocketConnection } from './websocket-connection.js';

/** Options of the avatars' route. */
export interface AvatarRouteOptions {
  /** Path of the avatars: `/chat`; `/chat/NAME` names one. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Checks `?token=`, when set. */
  readonly tokenMatches?: ((token: string | null) => boolean) | undefined;
  /** Checks whether a new connection may use the name of its path. @throws BridgeError when it may not */
  admit(name: string | undefined): void;
  /**
   * Takes a connection under the name of its path, or `undefined` for the path without one.
   * @param state known state of a connection that another process had before
   */
  accept(name: string | undefined, connection: Connection, state?: LinkState): void;
}

/** Avatars over WebSocket: takes their upgrades, makes their connections. Owns their sockets. */
export class AvatarRoute {
  readonly #options: AvatarRouteOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    ...WEB_SOCKET_OPTIONS,
  });
  readonly #connections = new Set<WebSocketConnection>();
  #closed = false;

  constructor(options: AvatarRouteOptions) {
    this.#options = options;
  }

  /** Route for `Listener.addUpgradeRoute`. */
  readonly route: UpgradeRoute = ({ request, url, socket, head, heldSocket }) => {
    const name = this.#nameOf(url.pathname);
    if (name === null) return false;
    const { logger, tokenMatches, clock } = this.#options;
    const refuse = (status: number, reason: string): true => {
      logger.warn({ remote: remoteOf(request), status }, `an avatar was refused: ${reason}`);
      refuseUpgrade(socket, status, reason);
      return true;
    };
    if (this.#closed) return refuse(503, 'The bridge is closing.');
    // The avatar sends no Origin; a request with one comes from a web page, which is not allowed here.
    if (request.headers.origin !== undefined) return refuse(403, 'Web pages cannot connect as an avatar.');
    if (tokenMatches && !tokenMatches(url.searchParams.get('token'))) {
      return refuse(403, 'The token in the path (?token=…) is missing or wrong.');
    }
    try {
      this.#options.admit(name);
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      return refuse(error.code === 'AGENT_NAME_INVALID' ? 403 : 503, error.message);
    }
    const remote = remoteOf(request);
    heldSocket?.line.facts({ name, remote } satisfies AvatarFacts);
    heldSocket?.line.stage('answering');
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      heldSocket?.line.stage('open');
      const inbound = heldSocket && followFrames(socket);
      const openedAtMs = clock.nowMs();
      this.#accept(
        new WebSocketConnection(webSocket, socket, { remote, openedAtMs, clock, heldSocket, inbound }),
        name,
      );
    });
    return true;
  };

  /**
   * Takes over a connection that another process has upgraded, or was about to.
   * @param state stored by that process
   */
  adopt(socket: Socket, heldSocket: HeldSocket, state: SlotState): void {
    const { clock, logger } = this.#options;
    socket.on('error', () => socket.destroy());
    socket.once('close', () => heldSocket.release());
    if (this.#closed) return void socket.destroy();
    const { name, remote = 'unknown', link } = (state.facts ?? {}) as AvatarFacts;
    const sharedToLocalMs = clock.nowMs() - sharedNowMs();
    const openedAtMs = state.openedAtMs + sharedToLocalMs;
    const { webSocket, inbound } = adoptWebSocket(socket, {
      whole: state.inboundWhole,
      onStep: (skippedBytes) => {
        if (skippedBytes > 0) logger.warn({ remote, skippedBytes }, 'a message of the avatar was lost');
      },
    });
    if (state.inDoubt) {
      logger.warn(
        { agent: name, remote },
        'the last frame to the avatar may not have left: what it holds is played out before anything follows',
      );
    }
    heldSocket.line.takeOver();
    const connection = new WebSocketConnection(webSocket, socket, {
      remote,
      openedAtMs,
      clock,
      heldSocket,
      inbound,
      firstMark: Date.now() * 100,
    });
    this.#accept(connection, name, {
      ...link,
      openSamples: state.segmentSamples,
      inDoubt: state.inDoubt,
      dryAtMs: state.dryAtMs + sharedToLocalMs,
    });
  }

  /** Drops every avatar's connection, which ends the avatars. Used only when the service itself ends. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(connection: WebSocketConnection, name: string | undefined, state?: LinkState): void {
    this.#connections.add(connection);
    connection.events.on('closed', () => this.#connections.delete(connection));
    this.#options.accept(name, connection, state);
  }

  /** Returns the name in a path, `undefined` for none, `null` for a path that is not the avatars'. */
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

function remoteOf(request: IncomingMessage): string {
  const { remoteAddress, remotePort } = request.socket;
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
}

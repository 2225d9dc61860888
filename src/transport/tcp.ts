import { BlockList, isIPv6, type Socket } from 'node:net';
import type { Connection, LinkState } from '../agent/connection.js';
import type { Clock } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { Entrance, type EntranceAddress } from '../keeper/entrance.js';
import type { HeldSocket, KeeperClient } from '../keeper/keeper-client.js';
import { sharedNowMs, type SlotState } from '../keeper/shared-state.js';
import { listenError } from './listener.js';
import type { AvatarFacts } from './socket-connection.js';
import { TcpConnection, type TcpConnectionOptions } from './tcp-connection.js';

/** Interval of retries for an avatar without room, in ms; closing its connection would end it. */
const ROOM_AGAIN_MS = 1000;

/** Address at which avatars arrive over plain TCP. */
export interface TcpEntrance extends EntranceAddress {
  /** Name of the avatar on this address; without it, the remote address gives the name. */
  readonly name?: string | undefined;
}

/** Options of the avatars' TCP side. */
export interface TcpAvatarsOptions {
  readonly entrances: readonly TcpEntrance[];
  /** Allows listening where other machines reach it. */
  readonly allowAnyAgent: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** See `AvatarRouteOptions`. */
  accept(name: string | undefined, connection: Connection, state?: LinkState): void;
}

/** Avatars over plain TCP, whichever side connects. Owns their sockets. */
export class TcpAvatars {
  readonly #options: TcpAvatarsOptions;
  /** Entrances by key; a key means the same in the next process. */
  readonly #entrances = new Map<string, TcpEntrance>();
  /** Entrances open in this process, not at a keeper. */
  readonly #openHere = new Map<string, Entrance>();
  /** Every connection, with the key of its entrance. */
  readonly #connections = new Map<TcpConnection, string>();
  /** Entrances by key, with their real ports. */
  readonly #addresses = new Map<string, TcpEntrance>();
  #closed = false;

  constructor(options: TcpAvatarsOptions) {
    this.#options = options;
    for (const entrance of options.entrances) {
      const { kind, host, port } = entrance;
      this.#entrances.set(`${kind} ${host} ${port}`, entrance);
    }
  }

  /** Open entrances, with their real ports. */
  get addresses(): readonly TcpEntrance[] {
    return [...this.#addresses.values()];
  }

  /**
   * Opens the entrances: here, or at the keeper that holds the connections.
   * @throws BridgeError HOST_EXPOSED, PORT_IN_USE, HOST_INVALID or LISTEN_DENIED
   */
  async open(keeperClient?: KeeperClient): Promise<void> {
    for (const { kind, host, port } of this.#entrances.values()) {
      if (kind === 'connect' || this.#options.allowAnyAgent || isLoopback(host)) continue;
      throw new BridgeError(
        'HOST_EXPOSED',
        `Avatars over TCP are not listened for on ${host}:${port}: every machine that reaches it could take an avatar's name, and there is no token over TCP. Add --allow-any-agent if that is meant.`,
      );
    }
    for (const [key, { kind, host, port, name }] of this.#entrances) {
      const wish: EntranceAddress = { kind, host, port };
      try {
        const address = await (keeperClient
          ? keeperClient.openEntrance(key, wish)
          : this.#entranceHere(key, wish).open());
        this.#addresses.set(key, { ...address, name });
      } catch (error) {
        throw listenError(error as NodeJS.ErrnoException, wish);
      }
    }
  }

  /**
   * Continues without the keeper and its entrances: this process listens itself, and reconnects to an avatar that it
   * loses. It connects to no other avatar: another process may have its connection, and a second one would end it.
   */
  openAlone(): void {
    for (const [key, { kind, host, port }] of this.#addresses) {
      const entrance = this.#entranceHere(key, { kind, host, port });
      if (kind === 'connect') continue;
      entrance.open().catch((error: unknown) => {
        this.#options.logger.error({ error: String(error) }, `${host}:${port} could not be taken over`);
      });
    }
  }

  /** Takes a new connection. @param key of the entrance by which it came */
  take(socket: Socket, heldSocket: HeldSocket | undefined, key: string): void {
    const { clock } = this.#options;
    const entrance = this.#entrances.get(key);
    const name = entrance?.name ?? (entrance?.kind === 'connect' ? undefined : nameByRemote(socket));
    const remote = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
    heldSocket?.line.facts({ name, remote } satisfies AvatarFacts);
    heldSocket?.line.stage('answering');
    heldSocket?.line.stage('open');
    const openedAtMs = clock.nowMs();
    this.#begin(socket, key, { remote, openedAtMs, clock, heldSocket }, name);
  }

  /** Takes over a connection of another process. @param state stored by that process */
  adopt(socket: Socket, heldSocket: HeldSocket, state: SlotState, key: string): void {
    const { clock, logger } = this.#options;
    const { name, remote = 'unknown', link } = (state.facts ?? {}) as AvatarFacts;
    const sharedToLocalMs = clock.nowMs() - sharedNowMs();
    if (state.inDoubt) {
      logger.warn(
        { agent: name, remote },
        'the last frame to the avatar may not have left: what it holds is played out before anything follows',
      );
    }
    heldSocket.line.takeOver();
    const options: TcpConnectionOptions = {
      remote,
      openedAtMs: state.openedAtMs + sharedToLocalMs,
      clock,
      heldSocket,
      midLine: !state.inboundWhole,
      firstMark: Date.now() * 100,
    };
    this.#begin(socket, key, options, name, {
      ...link,
      openSamples: state.segmentSamples,
      inDoubt: state.inDoubt,
      dryAtMs: state.dryAtMs + sharedToLocalMs,
    });
  }

  /** Drops every avatar's connection, which ends the avatars. Used only when the service itself ends. */
  close(): void {
    this.#closed = true;
    for (const entrance of this.#openHere.values()) entrance.close();
    for (const connection of this.#connections.keys()) connection.destroy();
  }

  #entranceHere(key: string, address: EntranceAddress): Entrance {
    const { kind, host, port } = address;
    const entrance = new Entrance(address, {
      connection: (socket) => this.take(socket, undefined, key),
      trouble: (reason) =>
        this.#options.logger.warn(
          { host, port },
          kind === 'listen'
            ? `${host}:${port} cannot be accepted from: ${reason}`
            : `the avatar at ${host}:${port} cannot be reached: ${reason}; it is tried again until it answers`,
        ),
    });
    this.#openHere.set(key, entrance);
    return entrance;
  }

  #begin(
    socket: Socket,
    key: string,
    options: TcpConnectionOptions,
    name: string | undefined,
    state?: LinkState,
  ): void {
    socket.setNoDelay(true);
    const connection = new TcpConnection(socket, options);
    this.#connections.set(connection, key);
    connection.events.on('closed', () => {
      this.#connections.delete(connection);
      options.heldSocket?.release();
      this.#openHere.get(key)?.lost();
    });
    if (this.#closed) return connection.destroy();
    this.#accept(connection, name, state);
    // The entrance passes it paused.
    if (!connection.held) socket.resume();
  }

  /** Accepts a connection. It cannot be refused, since that would end the avatar: one without room waits for some. */
  #accept(connection: TcpConnection, name: string | undefined, state?: LinkState, waits = 0): void {
    const { accept, clock, logger } = this.#options;
    try {
      accept(name, connection, state);
    } catch (error) {
      const reason = error instanceof BridgeError ? error.message : String(error);
      if (waits === 0)
        logger.warn({ remote: connection.remote }, `an avatar waits until it can be taken on: ${reason}`);
      const timer = clock.after(ROOM_AGAIN_MS, () => this.#accept(connection, name, state, waits + 1));
      connection.events.on('closed', () => timer.cancel());
    }
  }
}

/** Returns the address of another machine as a name; undefined for an avatar on this machine. */
function nameByRemote({ remoteAddress = '' }: Socket): string | undefined {
  const address = remoteAddress.replace(/^::ffff:/i, '').replace(/%.*$/, '');
  return address === '' || isLoopback(address) ? undefined : address.replaceAll(':', '-');
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

function isLoopback(host: string): boolean {
  return host === 'localhost' || LOOPBACK.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { DialResult, LinkEvents, SimulatorLink } from './link.js';

/**
 * Plain TCP socket of an avatar (protocol.md §6). It judges nothing and reports everything through
 * `LinkEvents`.
 */
export class TcpLink implements SimulatorLink {
  /** Without an upgrade there is no time to compare with. */
  readonly late = true;
  readonly #events: LinkEvents;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #stopped = false;
  #open = true;

  private constructor(events: LinkEvents) {
    this.#events = events;
  }

  /** Connects once, as an avatar in client mode. Never throws. */
  static dial(host: string, port: number, events: LinkEvents, signal: AbortSignal): Promise<DialResult> {
    return new Promise((resolve) => {
      const link = new TcpLink(events);
      const socket = connect({ host, port, signal });
      socket.once('connect', () => {
        link.#attach(socket);
        resolve({ kind: 'open', link });
        events.upgraded(link);
      });
      socket.on('error', (error) => resolve({ kind: 'refused', reason: error.message }));
    });
  }

  /**
   * Listens, as an avatar in server mode. Any number of programs may connect; their data shares one buffer,
   * and the end of any connection ends the avatar.
   * @returns the link, whose `upgraded` is called at the first connection, and the port
   * @throws the error of `listen`
   */
  static listen(
    host: string,
    port: number,
    events: LinkEvents,
    signal: AbortSignal,
  ): Promise<{ link: TcpLink; port: number }> {
    return new Promise((resolve, reject) => {
      const link = new TcpLink(events);
      const server = createServer({ noDelay: true }, (socket) => {
        const first = link.#sockets.size === 0;
        link.#attach(socket);
        if (first) events.upgraded(link);
        else events.secondConnection();
      });
      link.#server = server;
      server.once('error', reject);
      server.listen(port, host, () => resolve({ link, port: (server.address() as AddressInfo).port }));
      signal.addEventListener('abort', () => link.destroy(), { once: true });
    });
  }

  send(message: Buffer): void {
    if (!this.#open) return;
    for (const socket of this.#sockets) socket.write(message);
  }

  stopReading(): void {
    this.#stopped = true;
    for (const socket of this.#sockets) socket.pause();
  }

  resumeReading(): void {
    this.#stopped = false;
    for (const socket of this.#sockets) socket.resume();
  }

  destroy(): void {
    this.#open = false;
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #attach(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    if (this.#stopped) socket.pause();
    socket.on('data', (chunk: Buffer) => {
      if (this.#open) this.#events.message(chunk, false);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (!this.#open) return;
      this.destroy();
      this.#events.closed();
    });
  }
}

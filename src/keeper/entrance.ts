import { createServer, Socket, type AddressInfo, type Server } from 'node:net';

/** A connection that is not there after this long is tried anew, in ms. */
const CONNECT_TIMEOUT_MS = 5000;
/** The first wait before a connection is tried again, in ms; each after it is twice as long… */
const FIRST_WAIT_MS = 250;
/** …up to this. */
const LONGEST_WAIT_MS = 5000;
/** A connection that lived this long was a good one: the waits begin anew. */
const GOOD_AFTER_MS = 5000;

/** An address by which avatars come over plain TCP: they connect to it, or are connected to. */
export interface EntranceAddress {
  readonly kind: 'listen' | 'connect';
  readonly host: string;
  /** 0, to listen at, takes any free one. */
  readonly port: number;
}

/** Where an entrance's connections go. */
export interface EntranceListener {
  /** A connection, of which nothing has been read: it is paused. */
  connection(socket: Socket): void;
  /** A connection could not be made; told once until one was. @param reason a clause */
  trouble(reason: string): void;
}

/**
 * One address by which avatars come over plain TCP. Where it connects, it holds to one connection at a time (a second
 * one to the same avatar would end it, protocol.md §6), and tries for ever.
 */
export class Entrance {
  readonly address: EntranceAddress;
  readonly #listener: EntranceListener;
  #server: Server | undefined;
  #dialling: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = FIRST_WAIT_MS;
  #connectedAtMs = 0;
  #told = false;
  #closed = false;

  constructor(address: EntranceAddress, listener: EntranceListener) {
    this.address = address;
    this.#listener = listener;
  }

  /**
   * Begins to listen, or to connect.
   * @returns the address, with the real port
   * @throws the error of `listen`, with its `code`
   */
  open(): Promise<EntranceAddress> {
    const { kind, host, port } = this.address;
    if (kind === 'connect') {
      this.#dial();
      return Promise.resolve(this.address);
    }
    return new Promise((resolve, reject) => {
      const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
        socket.on('error', () => undefined);
        this.#listener.connection(socket);
      });
      this.#server = server;
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        server.on('error', ({ message }) => this.#listener.trouble(message));
        resolve({ kind, host, port: (server.address() as AddressInfo).port });
      });
    });
  }

  /** The connection that it made is gone, or was not wanted: it makes another one. Nothing where it listens. */
  lost(): void {
    if (this.address.kind === 'listen' || this.#closed || this.#dialling || this.#timer) return;
    if (performance.now() - this.#connectedAtMs >= GOOD_AFTER_MS) this.#waitMs = FIRST_WAIT_MS;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#dial();
    }, this.#waitMs);
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
  }

  /** Lets nothing more in; the connections that it gave stay. */
  close(): void {
    this.#closed = true;
    this.#server?.close();
    clearTimeout(this.#timer);
    this.#dialling?.destroy();
  }

  #dial(): void {
    const { host, port } = this.address;
    const socket = new Socket();
    this.#dialling = socket;
    // Nothing of it is read here.
    socket.pause();
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
      socket.destroy(new Error(`no answer within ${CONNECT_TIMEOUT_MS} ms`));
    });
    socket.on('error', ({ message }) => {
      if (this.#dialling !== socket || this.#closed) return;
      this.#dialling = undefined;
      if (!this.#told) this.#listener.trouble(message);
      this.#told = true;
      this.lost();
    });
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      this.#dialling = undefined;
      this.#told = false;
      this.#connectedAtMs = performance.now();
      this.#listener.connection(socket);
    });
    socket.connect(port, host);
  }
}

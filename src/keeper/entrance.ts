import { createServer, Socket, type AddressInfo, type Server } from 'node:net';

/** Time after which a connection attempt is given up and repeated, in ms. */
const CONNECT_TIMEOUT_MS = 5000;
/** First delay before a connection is tried again, in ms; each further one is twice as long. */
const FIRST_WAIT_MS = 250;
/** Longest delay before a connection is tried again, in ms. */
const LONGEST_WAIT_MS = 5000;
/** Lifetime of a connection after which the delays start again from the first, in ms. */
const GOOD_AFTER_MS = 5000;

/** Address for avatars over plain TCP: they connect to it, or the bridge connects to them. */
export interface EntranceAddress {
  readonly kind: 'listen' | 'connect';
  readonly host: string;
  /** Port; 0 takes any free port when listening. */
  readonly port: number;
}

/** Receiver of an entrance's connections. */
export interface EntranceListener {
  /** Called with a connection, which is paused and unread. */
  connection(socket: Socket): void;
  /** Called when a connection failed; once until the next success. @param reason a clause */
  trouble(reason: string): void;
}

/**
 * One address for avatars over plain TCP. When it connects, it keeps one connection at a time (a second one to the same
 * avatar would end it, protocol.md §6), and never stops trying.
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
   * Starts listening or connecting.
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

  /** Connects again after the connection was lost or rejected. Does nothing when listening. */
  lost(): void {
    if (this.address.kind === 'listen' || this.#closed || this.#dialling || this.#timer) return;
    if (performance.now() - this.#connectedAtMs >= GOOD_AFTER_MS) this.#waitMs = FIRST_WAIT_MS;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#dial();
    }, this.#waitMs);
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
  }

  /** Stops accepting and connecting; existing connections stay. */
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
    // Only the listener reads it.
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

import { readFile } from 'node:fs/promises';
import { WebSocket } from 'ws';
import type { ConnectionOptions, Msg, NatsConnection } from '@nats-io/transport-node';
import { delay, type Clock } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import { fileError } from '../base/file-error.js';
import type { Logger } from '../base/logger.js';

/** Maximum time of a connection attempt, in ms. */
const CONNECT_MS = 5000;
/** Delay between two connection attempts, in ms. */
const RETRY_MS = 500;
/** Ping interval, in ms; a server that leaves about three pings unanswered is given up. */
const PING_MS = 2000;
/** Maximum bytes that the server has not taken yet; further events are dropped. */
const MAX_BACKLOG_BYTES = 8 * 1024 * 1024;

/** Options of the connection to NATS. */
export interface BusOptions {
  /** URLs: `nats://`, `tls://`, `ws://` or `wss://`; they may contain user and password. */
  readonly servers: readonly string[];
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** File of an nkey seed. */
  readonly nkeyFile?: string | undefined;
  /** File of credentials (JWT and seed), as written by `nsc`. */
  readonly credsFile?: string | undefined;
  /** PEM file of the server certificate's authority. */
  readonly caFile?: string | undefined;
  /** First token or tokens of every subject. */
  readonly prefix: string;
  /** Name of this node, also shown in the server's own lists. */
  readonly node: string;
}

/** Events of the connection to NATS. */
export interface BusEvents {
  up: undefined;
  /** The server is not reachable; nothing can be sent until `up`. */
  down: { readonly reason: string };
  /** The server forbids this node to publish on that subject. */
  denied: { readonly subject: string };
}

/** Receives a message. `noResponders` is true when a message sent with this reply subject reached nobody. */
export type BusListener = (message: {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string | undefined;
  readonly noResponders: boolean;
}) => void;

/** Connection to a NATS server, reconnected for as long as the node runs. Uses core NATS only, no JetStream. */
export class Bus {
  readonly events: Emitter<BusEvents>;
  readonly #options: BusOptions;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #subscriptions: { readonly subject: string; readonly listener: BusListener }[] = [];
  readonly #closing = new AbortController();
  #connection: NatsConnection | undefined;
  #connected = false;
  #lastReason = 'not connected yet';
  #backlogBytes = 0;
  #flushing = false;

  constructor(options: BusOptions, { logger, clock }: { logger: Logger; clock: Clock }) {
    this.#options = options;
    this.#logger = logger;
    this.#clock = clock;
    this.events = new Emitter((error) =>
      logger.error({ error: String(error) }, 'a listener of the NATS connection threw'),
    );
  }

  /** True while the server answers. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Reason why it is not connected, as text. */
  get reason(): string {
    return this.#lastReason;
  }

  /** True while the server takes messages too slowly: optional messages should be left out. */
  get behind(): boolean {
    return this.#backlogBytes > MAX_BACKLOG_BYTES / 4;
  }

  /** Adds a subscription. Call it before `start`. */
  subscribe(subject: string, listener: BusListener): void {
    this.#subscriptions.push({ subject: `${this.#options.prefix}.${subject}`, listener });
  }

  /**
   * Sends a message.
   * @param reply subject, without the prefix, that gets a notice when nobody receives the message
   */
  publish(subject: string, data: Uint8Array | string, reply?: string): void {
    if (!this.#connected || !this.#connection) return;
    const { prefix } = this.#options;
    try {
      this.#connection.publish(
        `${prefix}.${subject}`,
        data,
        reply === undefined ? {} : { reply: `${prefix}.${reply}` },
      );
    } catch (error) {
      this.#logger.debug({ error: String(error) }, 'a message could not be sent to NATS');
      return;
    }
    this.#backlogBytes += data.length;
    this.#flush();
  }

  /** Sends an optional message. @returns false when it was left out because the server is too slow */
  offer(subject: string, data: string): boolean {
    if (!this.#connected || this.#backlogBytes > MAX_BACKLOG_BYTES) return false;
    this.publish(subject, data);
    return true;
  }

  /**
   * Connects in the background, and reconnects after each loss.
   * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE or OPTION_INVALID
   */
  async start(): Promise<void> {
    const connect = await connector(this.#options);
    void this.#run(connect);
  }

  /** Waits briefly until everything has left, and closes the connection. */
  async close(): Promise<void> {
    this.#closing.abort(new BridgeError('CLOSED', 'The connection to NATS was closed.'));
    const connection = this.#connection;
    if (!connection) return;
    if (this.#connected) await Promise.race([connection.flush().catch(() => undefined), wait(500)]);
    this.#connected = false;
    await Promise.race([connection.close().catch(() => undefined), wait(500)]);
  }

  #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #run(connect: () => Promise<NatsConnection>): Promise<void> {
    const { signal } = this.#closing;
    while (!this.#closed()) {
      try {
        const connection = await connect();
        if (this.#closed()) return void connection.close().catch(() => undefined);
        this.#connection = connection;
        for (const { subject, listener } of this.#subscriptions) {
          connection.subscribe(subject, {
            callback: (error, message) => this.#hear(error, message, listener),
          });
        }
        this.#up();
        await this.#follow(connection);
      } catch (error) {
        this.#down(reasonOf(error));
      }
      await delay(this.#clock, RETRY_MS, signal).catch(() => undefined);
    }
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      switch (status.type) {
        case 'disconnect':
        case 'staleConnection':
          this.#down('the server does not answer');
          break;
        case 'reconnect':
          this.#up();
          break;
        case 'error':
          this.#denied(status.error);
          break;
        default:
          break;
      }
    }
    const error = await connection.closed();
    this.#down(error ? reasonOf(error) : 'the connection was closed');
  }

  #hear(error: Error | null, message: Msg, listener: BusListener): void {
    if (error) return this.#denied(error);
    const { prefix } = this.#options;
    try {
      listener({
        subject: message.subject.slice(prefix.length + 1),
        data: message.data,
        reply: message.reply?.startsWith(`${prefix}.`) ? message.reply.slice(prefix.length + 1) : undefined,
        noResponders: message.data.length === 0 && message.headers?.code === 503,
      });
    } catch (thrown) {
      // It must not end the reading of all other messages.
      this.#logger.error(
        { error: thrown instanceof Error ? thrown.stack : thrown },
        'a message of NATS could not be taken',
      );
    }
  }

  /** Reports a missing permission: a configuration error that must be seen. */
  #denied(error: Error): void {
    this.#logger.warn({}, `NATS refused something: ${error.message}`);
    const { operation, subject } = error as { operation?: unknown; subject?: unknown };
    if (operation !== 'publish' || typeof subject !== 'string') return;
    this.events.emit('denied', { subject: subject.slice(this.#options.prefix.length + 1) });
  }

  #up(): void {
    this.#backlogBytes = 0;
    this.#connected = true;
    this.#logger.info({}, `connected to NATS at ${this.#connection?.getServer() ?? ''}`);
    this.events.emit('up', undefined);
  }

  #down(reason: string): void {
    if (this.#closing.signal.aborted) return;
    const told = this.#lastReason === reason && !this.#connected;
    this.#lastReason = reason;
    const was = this.#connected;
    this.#connected = false;
    if (!told) this.#logger.warn({}, `NATS is not reachable: ${reason}; trying again`);
    if (was) this.events.emit('down', { reason });
  }

  /** Sends a ping behind the written data; its answer means that the server has taken the data. */
  #flush(): void {
    const connection = this.#connection;
    if (this.#flushing || !connection) return;
    this.#flushing = true;
    const bytes = this.#backlogBytes;
    connection.flush().then(
      () => {
        this.#flushing = false;
        this.#backlogBytes = Math.max(0, this.#backlogBytes - bytes);
        if (this.#backlogBytes > 0) this.#flush();
      },
      () => (this.#flushing = false),
    );
  }
}

/** Prepares the connection once, so that invalid options are reported at the start. */
async function connector(options: BusOptions): Promise<() => Promise<NatsConnection>> {
  const nats = await import('@nats-io/transport-node');
  const urls = options.servers.map(parseServer);
  const login = urls.find(({ username }) => username !== '');
  const {
    user = login && decodeURIComponent(login.username),
    password = login && decodeURIComponent(login.password),
    token,
  } = options;
  const [nkey, creds] = await Promise.all([
    options.nkeyFile === undefined ? undefined : read(options.nkeyFile),
    options.credsFile === undefined ? undefined : read(options.credsFile),
  ]);
  const ca = options.caFile === undefined ? undefined : (await read(options.caFile)).toString('utf8');
  const overWebSocket = urls.some(({ protocol }) => protocol.startsWith('ws'));
  if (overWebSocket && !urls.every(({ protocol }) => protocol.startsWith('ws'))) {
    throw new BridgeError('OPTION_INVALID', 'nats cannot mix ws:// or wss:// with nats:// or tls:// URLs.');
  }
  const secure = urls.some(({ protocol }) => protocol === 'tls:') || ca !== undefined;
  const given: ConnectionOptions = {
    servers: urls.map((url) => (overWebSocket ? `${url.protocol}//${url.host}${url.pathname}` : url.host)),
    name: `mmdagent-audio-bridge ${options.node}`,
    noEcho: true,
    timeout: CONNECT_MS,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RETRY_MS,
    reconnectJitter: RETRY_MS,
    ignoreAuthErrorAbort: true,
    pingInterval: PING_MS,
    maxPingOut: 2,
    inboxPrefix: `${options.prefix}.inbox.${options.node}`,
  };
  if (user !== undefined && user !== '') Object.assign(given, { user, pass: password ?? '' });
  if (token !== undefined) given.token = token;
  const tls = ca === undefined ? {} : { ca };
  if (secure && !overWebSocket) given.tls = tls;
  try {
    if (nkey)
      given.authenticator = nats.nkeyAuthenticator(Uint8Array.from(Buffer.from(nkey.toString().trim())));
    if (creds) given.authenticator = nats.credsAuthenticator(Uint8Array.from(creds));
  } catch (error) {
    throw new BridgeError('OPTION_INVALID', `The NATS credentials cannot be used: ${reasonOf(error)}.`);
  }
  if (!overWebSocket) return () => nats.connect(given);
  return () =>
    nats.wsconnect({
      ...given,
      wsFactory: async (url: string) => {
        const socket = new WebSocket(url, { ...tls, handshakeTimeout: CONNECT_MS, perMessageDeflate: false });
        // `close` reports it; without a listener the error would end the process.
        socket.on('error', () => undefined);
        return { socket, encrypted: url.startsWith('wss:') };
      },
    } as ConnectionOptions);
}

function parseServer(text: string): URL {
  try {
    const url = new URL(text);
    if (/^(nats|tls|ws|wss):$/.test(url.protocol) && url.host !== '') return url;
  } catch {
    // Reported below, like a URL of another kind.
  }
  throw new BridgeError(
    'OPTION_INVALID',
    'nats takes URLs such as nats://hub.example.org:4222, tls://… or wss://…, with commas between them.',
  );
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw fileError(error, path);
  }
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

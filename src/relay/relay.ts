import { connect, createServer, type Server, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Agent } from '../agent/agent.js';
import type { RelayAddress, TcpAddress } from '../config.js';
import { RelayedProgram, type ProgramConnection } from './relayed-program.js';

/** Interval of the avatar's connection attempts, in ms (protocol.md §1). */
const RETRY_MS = 500;
/** Maximum size of avatar messages that wait for a slow program, in bytes. */
const MAX_UNSENT_BYTES = 1_000_000;
/** Maximum WebSocket message from a program, in bytes; the avatar itself takes 8 KB. */
const MAX_MESSAGE_BYTES = 1_000_000;
/** Maximum number of programs on one listening port, as for the avatar (protocol.md §6). */
const MAX_PROGRAMS = 20;

/** Dependencies of a relay. */
export interface RelayOptions {
  readonly agent: Agent;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A connection point where programs use the bridge in place of an avatar. */
export interface Relay {
  /** Closes the relay. Sound already sent by the programs is played to its end. */
  close(): Promise<void>;
}

/** Opens a relay. */
export function openRelay(address: RelayAddress, options: RelayOptions): Relay {
  return address.kind === 'listen'
    ? new ListeningRelay(address, options)
    : new CallingRelay(address, options);
}

/**
 * Connects to a program's server as the avatar would. It retries while the avatar is connected, and
 * disconnects with the avatar, so that the program sees it come and go.
 */
class CallingRelay implements Relay {
  readonly #address: Exclude<RelayAddress, { kind: 'listen' }>;
  readonly #name: string;
  readonly #options: RelayOptions;
  readonly #unsubscribe: (() => void)[];
  #retry: Timer | undefined;
  /** Closes the current connection or connection attempt. */
  #hangUp: (() => void) | undefined;
  #told = false;
  #closed = false;

  constructor(address: Exclude<RelayAddress, { kind: 'listen' }>, options: RelayOptions) {
    this.#address = address;
    this.#name = address.kind === 'websocket' ? address.url : `tcp://${hostPort(address)}`;
    this.#options = options;
    const { agent } = options;
    this.#unsubscribe = [agent.on('connected', () => this.#call()), agent.on('lost', () => this.#stop())];
    if (agent.state !== 'absent') this.#call();
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const off of this.#unsubscribe) off();
    this.#stop();
    return Promise.resolve();
  }

  #call(): void {
    if (this.#closed || this.#hangUp || this.#options.agent.handover) return;
    this.#retry?.cancel();
    const { agent, clock, logger } = this.#options;
    let program: RelayedProgram | undefined;
    this.#hangUp = dial(this.#address, {
      open: (connection) => {
        this.#told = false;
        program = new RelayedProgram(agent, { name: this.#name, ...connection }, clock, logger);
      },
      data: (bytes, framing) => program?.receive(bytes, framing),
      closed: (reason) => {
        program?.end();
        this.#hangUp = undefined;
        if (!program && !this.#told) {
          this.#told = true;
          logger.info(
            { agent: agent.name, program: this.#name },
            `${agent.name}: no program answers at ${this.#name} (${reason}); trying again every ${RETRY_MS} ms`,
          );
        }
        if (this.#closed || agent.state === 'absent') return;
        this.#retry = clock.after(RETRY_MS, () => this.#call());
      },
    });
  }

  #stop(): void {
    this.#retry?.cancel();
    this.#hangUp?.();
  }
}

interface Dialled {
  open(connection: Omit<ProgramConnection, 'name'>): void;
  data(bytes: Uint8Array, framing: 'message' | 'stream'): void;
  closed(reason: string): void;
}

/** Connects once. @returns a function that disconnects */
function dial(address: Exclude<RelayAddress, { kind: 'listen' }>, listener: Dialled): () => void {
  return address.kind === 'websocket' ? dialWebSocket(address.url, listener) : dialTcp(address, listener);
}

function dialWebSocket(url: string, { open, data, closed }: Dialled): () => void {
  // Same request as the avatar's: no extension, no subprotocol, no Origin (protocol.md §1).
  const socket = new WebSocket(url, {
    headers: { 'X-App-Type': 'MMDAgent' },
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    skipUTF8Validation: true,
    handshakeTimeout: 5000,
  });
  let reason = 'the connection was closed';
  socket.on('open', () =>
    open({
      send: (line) => {
        if (socket.bufferedAmount > MAX_UNSENT_BYTES) return false;
        if (socket.readyState === WebSocket.OPEN) socket.send(`${line}\n`);
        return true;
      },
      pause: () => socket.pause(),
      resume: () => socket.resume(),
    }),
  );
  socket.on('message', (message) => data(message as Buffer, 'message'));
  socket.on('error', (error) => (reason = error.message));
  socket.on('close', () => closed(reason));
  return () => socket.close();
}

function dialTcp({ host, port }: { host: string; port: number }, listener: Dialled): () => void {
  const socket = connect({ host, port });
  let reason = 'the connection was closed';
  socket.once('connect', () => listener.open(ofSocket(socket)));
  socket.on('data', (bytes) => listener.data(bytes, 'stream'));
  socket.on('error', (error) => (reason = error.message));
  socket.on('close', () => listener.closed(reason));
  return () => socket.end();
}

/** Replaces an avatar that is a TCP server: several programs can connect at once. */
class ListeningRelay implements Relay {
  readonly #address: TcpAddress;
  readonly #options: RelayOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #retry: Timer | undefined;
  #told = false;
  #closed = false;

  constructor(address: TcpAddress, options: RelayOptions) {
    this.#address = address;
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_PROGRAMS;
    this.#server.on('drop', () =>
      options.logger.warn({}, `more than ${MAX_PROGRAMS} programs at ${hostPort(address)}: one was refused`),
    );
    this.#server.on('error', (error) => this.#again(error));
    this.#listen();
  }

  /** Port it listens on; undefined before. */
  get port(): number | undefined {
    const address = this.#server.address();
    return typeof address === 'object' ? address?.port : undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    for (const socket of this.#sockets) socket.end();
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    const timer = this.#options.clock.after(RETRY_MS, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    await closed;
    timer.cancel();
  }

  #listen(): void {
    const { host, port } = this.#address;
    this.#server.listen({ host, port }, () =>
      this.#options.logger.info(
        {},
        `listening for programs of ${this.#options.agent.name} at ${host}:${this.port ?? port}`,
      ),
    );
  }

  /** Retries listening: after a restart the port can still belong to the old process for a while. */
  #again(error: Error): void {
    if (this.#closed) return;
    if (!this.#told)
      this.#options.logger.warn(
        {},
        `cannot listen at ${hostPort(this.#address)}: ${error.message}; trying again`,
      );
    this.#told = true;
    this.#retry = this.#options.clock.after(RETRY_MS, () => this.#listen());
  }

  #accept(socket: Socket): void {
    const { agent, clock, logger } = this.#options;
    this.#sockets.add(socket);
    const name = `tcp://${socket.remoteAddress ?? '?'}:${socket.remotePort ?? '?'}`;
    const program = new RelayedProgram(agent, { name, ...ofSocket(socket) }, clock, logger);
    socket.on('data', (bytes) => program.receive(bytes, 'stream'));
    socket.on('error', (error) => logger.info({ program: name }, `${agent.name}: ${name}: ${error.message}`));
    socket.once('close', () => {
      this.#sockets.delete(socket);
      program.end();
    });
  }
}

function ofSocket(socket: Socket): Omit<ProgramConnection, 'name'> {
  socket.setNoDelay(true);
  return {
    send: (line) => {
      if (socket.writableLength > MAX_UNSENT_BYTES) return false;
      if (socket.writable) socket.write(`${line}\n`);
      return true;
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  };
}

function hostPort({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

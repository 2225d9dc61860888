import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { decodeMark, encodeMark, type WireUnit } from '../agent/wire.js';
import { PING_TIMING } from './ack-window.js';
import type { FrameBoundary } from './frame-boundary.js';
import { frameBytes, writeFrame, writeHead } from './server-frame.js';
import { SocketConnection, type SocketConnectionOptions } from './socket-connection.js';
import { roomFor, writeFrom } from './write-room.js';

const TEXT = 0x1;
const BINARY = 0x2;
const PING = 0x9;
const PONG = 0xa;
/** Bytes that may wait for the system before pings are left unanswered: who does not read needs no answers. */
const MAX_PONG_BACKLOG_BYTES = 16_384;

/** What is known of a connection besides its WebSocket. */
export interface WebSocketConnectionOptions extends SocketConnectionOptions {
  /** Follows its incoming frames; set with `heldSocket`. */
  readonly inbound?: FrameBoundary | undefined;
}

/**
 * One avatar's WebSocket as a connection. No CLOSE frame ever leaves it: the avatar would read it as data
 * (protocol.md §1).
 *
 * What comes in is the library's affair. What goes out is written here, in one piece, past its sender: a head and a
 * payload in two pieces cost half as much again as one (`npm run bench`, cpu), and one write a frame is what the
 * avatar needs (protocol.md §2). The library's sender has no state of its own as long as nothing is compressed.
 */
export class WebSocketConnection extends SocketConnection {
  readonly transport = 'websocket';
  readonly #webSocket: WebSocket;
  readonly #inbound: FrameBoundary | undefined;

  /** @param socket the one beneath `webSocket` */
  constructor(webSocket: WebSocket, socket: Duplex, options: WebSocketConnectionOptions) {
    super(socket, PING_TIMING, options);
    this.#webSocket = webSocket;
    this.#inbound = options.inbound;
    webSocket.binaryType = 'nodebuffer';
    webSocket.on('message', (data) => this.received(data as Buffer));
    webSocket.on('pong', (payload) => this.acknowledged(decodeMark(payload)));
    webSocket.on('ping', (payload) => this.#pong(payload));
    webSocket.on('error', (error) => {
      this.closeReason = error.message;
      webSocket.terminate();
    });
    webSocket.on('close', () => this.ended());
  }

  probe(): void {
    if (!this.socket.writable) return;
    const ping = encodeMark(this.acks.mark(this.clock.nowMs()));
    const bytes = roomFor(frameBytes(ping.length));
    writeFrame(bytes, 0, PING, ping);
    writeFrom(this.socket, bytes);
  }

  hold(): void {
    this.#webSocket.pause();
  }

  release(): void {
    this.#webSocket.resume();
  }

  /** Answers a ping here: the library ends a connection on which many answers wait. The last one may do for several (RFC 6455 §5.5.3). */
  #pong(payload: Buffer): void {
    if (!this.socket.writable || this.socket.writableLength > MAX_PONG_BACKLOG_BYTES) return;
    const bytes = roomFor(frameBytes(payload.length));
    writeFrame(bytes, 0, PONG, payload);
    writeFrom(this.socket, bytes);
  }

  protected get inboundWhole(): boolean {
    return this.#inbound?.clean ?? false;
  }

  protected encode(unit: WireUnit, mark: number | undefined): Buffer {
    const { byteLength } = unit;
    const ping = mark === undefined ? undefined : encodeMark(mark);
    const bytes = roomFor(frameBytes(byteLength) + (ping ? frameBytes(ping.length) : 0));
    const head = writeHead(bytes, 0, unit.kind === 'command' ? TEXT : BINARY, byteLength);
    const end = unit.writeTo(bytes, head);
    if (ping) writeFrame(bytes, end, PING, ping);
    return bytes;
  }

  protected drop(): void {
    this.#webSocket.terminate();
  }
}

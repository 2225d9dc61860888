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
/** Maximum unsent bytes before pings are no longer answered: a peer that does not read needs no pongs. */
const MAX_PONG_BACKLOG_BYTES = 16_384;

/** Options of a WebSocket connection. */
export interface WebSocketConnectionOptions extends SocketConnectionOptions {
  /** Tracker of its incoming frames; set with `heldSocket`. */
  readonly inbound?: FrameBoundary | undefined;
}

/**
 * Connection over one avatar's WebSocket. It never sends a CLOSE frame: the avatar would read it as data
 * (protocol.md §1).
 *
 * The library reads. Writing is done here, past its sender, in one piece: head and payload in two pieces cost half as
 * much again (`npm run bench`, cpu), and the avatar needs one write a frame (protocol.md §2). The library's sender has no
 * state of its own as long as nothing is compressed.
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

  /** Answers a ping: the library would end a connection with many waiting pongs. One may answer several (RFC 6455 §5.5.3). */
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

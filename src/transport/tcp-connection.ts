import type { Socket } from 'node:net';
import { decodeEchoMark, encodeEchoMark, type AgentMessage, type WireUnit } from '../agent/wire.js';
import type { Timer } from '../base/clock.js';
import { ECHO_TIMING } from './ack-window.js';
import { SocketConnection, type SocketConnectionOptions } from './socket-connection.js';
import { roomFor, writeFrom } from './write-room.js';

/** Age of an unanswered mark, in ms, at which another one is sent: the avatar loses one now and then. */
const MARK_AGAIN_MS = 800;
/** Number of marks under way from which no more are sent only to check that the avatar reads. */
const MAX_PENDING = 8;

const LF = 0x0a;

/** Beginning of a request by a browser or another program that expects HTTP or TLS. */
const NO_AVATAR = /^(?:(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) |\x16\x03)/;

/** Options of a plain TCP connection. */
export interface TcpConnectionOptions extends SocketConnectionOptions {
  /** True when the next byte may be inside a line: everything up to the next newline is skipped. */
  readonly midLine?: boolean | undefined;
}

/**
 * Connection over one avatar's plain TCP socket (protocol.md §6), with the same units as over WebSocket, one after the
 * other. There are no pings; sparse text lines, whose echoes come in order, tell what has been read.
 */
export class TcpConnection extends SocketConnection {
  readonly transport = 'tcp';
  /** True while reading is stopped. */
  held = false;
  #passOver: boolean;
  #begun = false;
  #lastByte = LF;
  #markAgain: Timer | undefined;

  /** @param socket not read from so far */
  constructor(socket: Socket, options: TcpConnectionOptions) {
    super(socket, ECHO_TIMING, options);
    this.#passOver = options.midLine ?? false;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => {
      this.closeReason = error.message;
      socket.destroy();
    });
    socket.on('close', () => {
      this.#markAgain?.cancel();
      this.ended();
    });
  }

  takeEcho(message: AgentMessage): boolean {
    const mark = decodeEchoMark(message);
    if (mark === undefined) return false;
    this.acknowledged(mark);
    return true;
  }

  probe(): void {
    if (!this.socket.writable) return;
    const line = this.#markLine(undefined);
    const bytes = roomFor(line.length);
    bytes.set(line);
    writeFrom(this.socket, bytes);
  }

  hold(): void {
    this.held = true;
    this.socket.pause();
  }

  release(): void {
    this.held = false;
    this.socket.resume();
  }

  protected get inboundWhole(): boolean {
    return !this.#passOver && this.#lastByte === LF;
  }

  /**
   * Newlines that only pad a short command to its minimum length could arrive separately, and block the avatar. A mark
   * takes their place, which also makes sure that something follows (protocol.md §2).
   */
  protected encode(unit: WireUnit, mark: number | undefined): Buffer {
    const line = unit.padding > 0 || mark !== undefined ? this.#markLine(mark) : undefined;
    const end = unit.byteLength - unit.padding;
    const bytes = roomFor(end + (line?.length ?? 0));
    unit.writeTo(bytes, 0);
    if (line) bytes.set(line, end);
    return bytes;
  }

  protected drop(): void {
    this.#markAgain?.cancel();
    this.socket.destroy();
  }

  #markLine(mark: number | undefined): Uint8Array {
    this.#markAgain ??= this.clock.after(MARK_AGAIN_MS, () => this.#onSilence());
    return encodeEchoMark(mark ?? this.acks.mark(this.clock.nowMs()));
  }

  #onSilence(): void {
    this.#markAgain = undefined;
    const { pendingMarks } = this.acks;
    if (pendingMarks === 0 || !this.socket.writable) return;
    if (pendingMarks < MAX_PENDING) this.probe();
    else this.#markAgain = this.clock.after(MARK_AGAIN_MS, () => this.#onSilence());
  }

  #onData(chunk: Buffer): void {
    if (!this.#begun && NO_AVATAR.test(chunk.toString('latin1', 0, 10))) {
      this.closeReason = 'it speaks HTTP or TLS, as no avatar does';
      return this.drop();
    }
    this.#begun = true;
    let bytes = chunk;
    if (this.#passOver) {
      const newline = chunk.indexOf(LF);
      if (newline === -1) return;
      this.#passOver = false;
      bytes = chunk.subarray(newline + 1);
    }
    this.#lastByte = chunk[chunk.length - 1]!;
    if (bytes.length > 0) this.received(bytes);
  }
}

import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Connection, ConnectionEvents, LinkState } from '../agent/connection.js';
import { FRAME_HEADER_BYTES } from '../agent/wire.js';
import { Emitter } from '../base/emitter.js';
import type { HeldSocket } from '../keeper/keeper-client.js';
import type { FrameBoundary } from './frame-boundary.js';
import { SendWindow } from './send-window.js';
import { frameBytes, writeFrame } from './server-frame.js';
import { roomFor, writeFrom } from './write-room.js';

const TEXT = 0x1;
const BINARY = 0x2;
const PING = 0x9;

/** What is known of a connection besides its WebSocket. */
export interface WebSocketConnectionOptions {
  readonly remote: string;
  /** Monotonic ms of the upgrade. */
  readonly openedAtMs: number;
  /** Set when another process holds a copy of its socket. */
  readonly heldSocket?: HeldSocket | undefined;
  /** Follows its incoming frames; set with `heldSocket`. */
  readonly inbound?: FrameBoundary | undefined;
}

/** A connection that cannot be given up between two messages within this time is given up all the same, in ms. */
const PASS_TIMEOUT_MS = 1000;

/** A unit on its way out, with the mark behind it if one goes with it. */
interface Outgoing {
  readonly unit: Uint8Array;
  readonly mark: Uint8Array | undefined;
}

/**
 * One avatar's WebSocket as a connection. No CLOSE frame ever leaves it: the avatar would read it as data
 * (protocol.md §1).
 *
 * What comes in is the library's affair. What goes out is written here, in one piece, past its sender: a head and a
 * payload in two pieces cost half as much again as one (`npm run bench`, cpu), and one write a frame is what the
 * avatar needs (protocol.md §2). The library's sender has no state of its own as long as nothing is compressed.
 *
 * What is under way is bounded by what the avatar has answered for; the rest waits here, as whole units.
 */
export class WebSocketConnection implements Connection {
  readonly remote: string;
  readonly openedAtMs: number;
  readonly events = new Emitter<ConnectionEvents>();
  readonly canMark = true;
  readonly #webSocket: WebSocket;
  readonly #socket: Duplex;
  readonly #heldSocket: HeldSocket | undefined;
  readonly #inbound: FrameBoundary | undefined;
  readonly #window = new SendWindow();
  #waiting: Outgoing[] = [];
  #waitingBytes = 0;
  #closeReason = 'the avatar closed it, or its program ended';
  #closed = false;
  #passing: ((force: boolean) => void) | undefined;

  /** @param socket the one beneath `webSocket` */
  constructor(webSocket: WebSocket, socket: Duplex, options: WebSocketConnectionOptions) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.remote = options.remote;
    this.openedAtMs = options.openedAtMs;
    this.#heldSocket = options.heldSocket;
    this.#inbound = options.inbound;
    webSocket.binaryType = 'nodebuffer';
    webSocket.on('message', (data) => {
      this.events.emit('message', data as Buffer);
      this.#passing?.(false);
    });
    webSocket.on('pong', (payload) => this.#onPong(payload));
    webSocket.on('error', (error) => {
      this.#closeReason = error.message;
      webSocket.terminate();
    });
    webSocket.on('close', () => {
      if (this.#closed) return;
      this.#closed = true;
      this.#passing?.(true);
      this.events.emit('closed', this.#closeReason);
    });
  }

  get unsentBytes(): number {
    return this.#webSocket.bufferedAmount + this.#waitingBytes;
  }

  /** A write's error arrives as the connection's end, which is told once, there. */
  send(unit: Uint8Array, mark?: Uint8Array): void {
    if (this.#closed || this.#webSocket.readyState !== WebSocket.OPEN) return;
    if (this.#waiting.length === 0 && this.#window.hasRoom(unit.length)) return this.#write(unit, mark);
    this.#waiting.push({ unit: Uint8Array.from(unit), mark });
    this.#waitingBytes += unit.length;
  }

  /** Writes down, for a process that takes over, how the avatar is set up. */
  remember(name: string, link: LinkState): void {
    this.#heldSocket?.line.facts({ name, remote: this.remote, link });
  }

  /** Gives it up to the process that takes over, between two messages, when all that was sent has left. */
  passOn(onPassed: () => void): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#passing?.(true), PASS_TIMEOUT_MS);
      const attempt = (force: boolean): void => {
        const ready = this.unsentBytes === 0 && (this.#inbound?.clean ?? false);
        if (this.#passing !== now || !(ready || force)) return;
        // The keeper is gone: nobody could take it, and closing it here would end the avatar.
        if (!this.#closed && !this.#heldSocket?.held) return;
        this.#passing = undefined;
        clearTimeout(timer);
        onPassed();
        if (!this.#closed) this.#pass();
        resolve();
      };
      // Not inside an event: bytes that came with this message may hold another one.
      const now = (force: boolean): void => queueMicrotask(() => attempt(force));
      this.#passing = now;
      now(false);
    });
  }

  #pass(): void {
    this.#closed = true;
    if (this.#inbound?.clean) this.#heldSocket?.line.inboundWhole();
    this.#webSocket.terminate();
    this.#heldSocket?.pass();
  }

  destroy(): void {
    this.#closeReason = 'the bridge dropped it';
    this.#webSocket.terminate();
  }

  #write(unit: Uint8Array, mark: Uint8Array | undefined): void {
    this.#window.sent(unit.length);
    const windowMark = this.#window.dueMark();
    const bytes = roomFor(frameBytes(unit.length) + markBytes(mark) + markBytes(windowMark));
    const end = writeFrame(bytes, 0, isAudio(unit) ? BINARY : TEXT, unit);
    this.#writeMark(bytes, this.#writeMark(bytes, end, mark), windowMark);
    this.#noteFrame(unit);
    writeFrom(this.#socket, bytes);
    this.#noteLeft(unit);
  }

  #writeMark(bytes: Buffer, at: number, mark: Uint8Array | undefined): number {
    if (!mark) return at;
    this.#window.marked(mark);
    return writeFrame(bytes, at, PING, mark);
  }

  #onPong(payload: Uint8Array): void {
    const own = this.#window.answered(payload);
    let written = 0;
    for (const outgoing of this.#waiting) {
      if (!this.#window.hasRoom(outgoing.unit.length)) break;
      this.#write(outgoing.unit, outgoing.mark);
      this.#waitingBytes -= outgoing.unit.length;
      written += 1;
    }
    if (written > 0) this.#waiting.splice(0, written);
    if (!own) this.events.emit('mark', payload);
    this.#passing?.(false);
  }

  #noteFrame(unit: Uint8Array): void {
    if (this.#heldSocket && isAudio(unit) && isFrame(unit)) {
      this.#heldSocket.line.frame((unit.length - FRAME_HEADER_BYTES) / 2);
    }
  }

  #noteLeft(unit: Uint8Array): void {
    if (!this.#heldSocket || !isAudio(unit)) return;
    if (isSegmentEnd(unit)) this.#heldSocket.line.ended();
    // What the system has not taken yet goes down with this process.
    else if (isFrame(unit) && this.#socket.writableLength === 0) this.#heldSocket.line.left();
  }
}

function markBytes(mark: Uint8Array | undefined): number {
  return mark ? frameBytes(mark.length) : 0;
}

/** `SND…` */
function isAudio(unit: Uint8Array): boolean {
  return unit[0] === 0x53 && unit[1] === 0x4e && unit[2] === 0x44;
}

/** A digit follows. */
function isFrame(unit: Uint8Array): boolean {
  return unit[3]! >= 0x30 && unit[3]! <= 0x39;
}

/** `SNDB` of `SNDBRKS`. */
function isSegmentEnd(unit: Uint8Array): boolean {
  return unit[3] === 0x42;
}

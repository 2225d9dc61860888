import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Clock, Timer } from '../base/clock.js';
import { FrameWatch } from './frame-watch.js';
import { Standstill } from './standstill.js';

/** Maximum time between the two halves of a frame, in ms; a longer one ends the avatar (protocol.md §2). */
const TORN_AFTER_MS = 10;

/** Limit of the WebSocket library; the receiver handles anything larger than the avatar's buffer. */
const MAX_MESSAGE_BYTES = 1 << 20;

/** Events of a link, in their order on the wire. */
export interface LinkEvents {
  /** The 101 has come. */
  upgraded(link: SimulatorLink): void;
  /** A message; `withUpgrade` is true when it came in the same read as the 101. */
  message(payload: Buffer, withUpgrade: boolean): void;
  /** A ping, already answered. */
  ping(payload: Buffer): void;
  /** A CLOSE frame, with its payload, which the avatar reads as data. */
  closeFrame(payload: Buffer): void;
  /** A message came in more than one frame. */
  continuation(): void;
  /** The rest of a frame did not come in time. */
  torn(): void;
  /** The bytes are not a WebSocket; the reason is a sentence. */
  broken(reason: string): void;
  /** Another program has connected to an avatar that is a TCP server. */
  secondConnection(): void;
  /** The connection has ended. */
  closed(): void;
}

/** Connection of a simulated avatar. */
export interface SimulatorLink {
  /** True when the first data was read too late to tell its arrival time, or when there is no upgrade. */
  readonly late: boolean;
  /** Sends a message of the avatar; does nothing after the end. */
  send(message: Buffer): void;
  /** Stops reading: data stays in the buffers of the system and then of the sender. */
  stopReading(): void;
  resumeReading(): void;
  /** Ends the connection like a process that dies: nothing is flushed. */
  destroy(): void;
}

/** Options of a link. */
export interface LinkOptions {
  readonly clock: Clock;
  /** Maximum random delay of each read, in milliseconds, which simulates jitter. */
  readonly readJitterMs: number;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Result of a connection attempt. */
export type DialResult =
  | { readonly kind: 'open'; readonly link: SimulatorLink }
  /** `status` is undefined when there was no HTTP response. */
  | { readonly kind: 'refused'; readonly status?: number; readonly reason: string };

/** A WebSocket without the closing handshake, which the avatar does not implement (protocol.md §1). */
class AvatarSocket extends WebSocket {
  onCloseFrame: ((payload: Buffer) => void) | undefined;

  /** The library calls this on a CLOSE frame and on an invalid frame. */
  override close(code?: number, reason: string | Buffer = ''): void {
    const payload = Buffer.alloc(code === undefined ? 0 : 2);
    if (code !== undefined) payload.writeUInt16BE(code);
    this.onCloseFrame?.(Buffer.concat([payload, Buffer.from(reason)]));
  }
}

/**
 * Connection of the avatar: upgrade request, messages in wire order, pongs, and events visible only on the
 * socket. It judges nothing and reports everything through `LinkEvents`.
 */
export class AvatarLink implements SimulatorLink {
  readonly #socket: AvatarSocket;
  readonly #tcp: Socket;
  /** Bytes that came in the same read as the 101. */
  readonly #headBytes: number;
  /**
   * True when this process was suspended while the 101 came. An avatar would have read it in time, so data
   * read together with it must not count against the sender.
   */
  readonly late: boolean;
  readonly #events: LinkEvents;
  readonly #options: LinkOptions;
  readonly #watch = new FrameWatch();
  /** Reads since the upgrade; data that came with the 101 counts as the first. */
  #reads = 0;
  #heldBack: (() => void)[] = [];
  #seenContinuations = 0;
  #tornTimer: Timer | undefined;
  #jitterTimer: Timer | undefined;
  #stopped = false;
  #open = true;

  private constructor(
    socket: AvatarSocket,
    tcp: Socket,
    headBytes: number,
    late: boolean,
    events: LinkEvents,
    options: LinkOptions,
  ) {
    this.#socket = socket;
    this.#tcp = tcp;
    this.#headBytes = late ? 0 : headBytes;
    this.late = late;
    this.#events = events;
    this.#options = options;
  }

  /** Connects once; the events begin with `upgraded`. Never throws. */
  static dial(url: string, events: LinkEvents, options: LinkOptions): Promise<DialResult> {
    return new Promise((resolve) => {
      let socket: AvatarSocket | undefined;
      let link: AvatarLink | undefined;
      const abort = (): void => socket?.terminate();
      const standstill = new Standstill();
      const settle = (result: DialResult): void => {
        standstill.close();
        options.signal.removeEventListener('abort', abort);
        resolve(result);
      };
      const refused = (reason: string, status?: number): void =>
        settle({ kind: 'refused', reason, ...(status === undefined ? {} : { status }) });
      options.signal.addEventListener('abort', abort, { once: true });
      try {
        socket = new AvatarSocket(url, {
          perMessageDeflate: false,
          headers: { 'X-App-Type': 'MMDAgent' },
          autoPong: false,
          skipUTF8Validation: true,
          maxPayload: MAX_MESSAGE_BYTES,
          finishRequest: (request) => {
            request.prependListener('upgrade', (_response: IncomingMessage, tcp: Socket, head: Buffer) => {
              link = new AvatarLink(socket!, tcp, head.length, standstill.justNow, events, options);
            });
            request.end();
          },
        });
      } catch (error) {
        return refused((error as Error).message);
      }
      let opened: AvatarLink | undefined;
      socket.on('open', () => {
        opened = link!;
        opened.#attach();
        settle({ kind: 'open', link: opened });
      });
      socket.on('unexpected-response', (request, response) => {
        refused(`the answer was ${response.statusCode} ${response.statusMessage}`, response.statusCode);
        request.destroy();
      });
      socket.on('error', (error) => {
        if (opened) opened.#fail(error);
        else refused(error.message);
      });
    });
  }

  /** Sends a message of the avatar as a masked text frame; does nothing after the end. */
  send(message: Buffer): void {
    if (this.#open) this.#socket.send(message, { binary: false });
  }

  /** Stops reading: data stays in the buffers of the system and then of the sender. */
  stopReading(): void {
    this.#stopped = true;
    this.#socket.pause();
  }

  /** Continues to read. */
  resumeReading(): void {
    this.#stopped = false;
    if (this.#open && !this.#jitterTimer) this.#socket.resume();
  }

  /** Ends the connection like a process that dies: no CLOSE frame, nothing flushed. */
  destroy(): void {
    this.#open = false;
    this.#tornTimer?.cancel();
    this.#jitterTimer?.cancel();
    this.#socket.terminate();
  }

  #watchSocket(): void {
    // Prepended to the library's own listener, so that the watch is up to date when the library emits. Added
    // only after that listener exists, because the first listener starts the flow of data.
    this.#tcp.prependListener('data', (chunk: Buffer) => {
      this.#reads++;
      this.#watch.push(chunk);
      if (this.#watch.continuations > this.#seenContinuations) {
        this.#seenContinuations = this.#watch.continuations;
        this.#events.continuation();
      }
      if (this.#reads > 1 && this.#heldBack.length > 0) this.#releaseHeldBack();
      this.#tornTimer?.cancel();
      this.#tornTimer = undefined;
      if (this.#watch.insideFrame) this.#waitForRest(this.#reads);
      if (this.#options.readJitterMs > 0) this.#holdUp();
    });
  }

  #attach(): void {
    const socket = this.#socket;
    this.#watchSocket();
    socket.onCloseFrame = (payload) => {
      if (this.#watch.closes > 0) this.#inOrder(() => this.#events.closeFrame(payload));
    };
    socket.on('message', (data) => {
      const withUpgrade = this.#withUpgrade;
      this.#inOrder(() => this.#events.message(data as Buffer, withUpgrade));
    });
    socket.on('ping', (payload) => this.#inOrder(() => this.#pong(payload)));
    socket.on('close', () => {
      if (!this.#open) return;
      this.destroy();
      this.#events.closed();
    });
    this.#events.upgraded(this);
  }

  #fail(error: Error): void {
    const { code } = error as NodeJS.ErrnoException;
    // Only the library's own codes report invalid frames; `close` reports connection errors.
    if (this.#open && code?.startsWith('WS_ERR')) this.#events.broken(error.message);
  }

  get #withUpgrade(): boolean {
    return this.#headBytes > 0 && this.#reads <= 1;
  }

  /** Delays data that came with the 101 until more comes, as the avatar does (protocol.md §1). */
  #inOrder(deliver: () => void): void {
    if (!this.#open) return;
    if (this.#withUpgrade) this.#heldBack.push(deliver);
    else deliver();
  }

  #releaseHeldBack(): void {
    const held = this.#heldBack;
    this.#heldBack = [];
    for (const deliver of held) if (this.#open) deliver();
  }

  #pong(payload: Buffer): void {
    // An empty ping is answered with one zero byte (protocol.md §2).
    this.#socket.pong(payload.length > 0 ? payload : Buffer.alloc(1), true);
    this.#events.ping(payload);
  }

  /**
   * Reports a torn frame only after another look at the socket: a suspension of this process must not count
   * against the sender.
   */
  #waitForRest(read: number): void {
    if (this.#stopped) return;
    this.#tornTimer = this.#options.clock.after(TORN_AFTER_MS, () => {
      setImmediate(() => {
        const waiting = this.#reads === read && !this.#stopped && !this.#jitterTimer;
        if (this.#open && waiting) this.#events.torn();
      });
    });
  }

  #holdUp(): void {
    if (this.#jitterTimer || this.#stopped) return;
    this.#socket.pause();
    this.#jitterTimer = this.#options.clock.after(this.#options.random() * this.#options.readJitterMs, () => {
      this.#jitterTimer = undefined;
      if (this.#open && !this.#stopped) this.#socket.resume();
    });
  }
}

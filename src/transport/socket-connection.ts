import type { Duplex } from 'node:stream';
import type { Connection, ConnectionEvents, LinkState } from '../agent/connection.js';
import type { WireUnit } from '../agent/wire.js';
import type { Clock } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import type { HeldSocket } from '../keeper/keeper-client.js';
import { AckWindow, type AckTiming } from './ack-window.js';
import { writeFrom } from './write-room.js';

/** Maximum wait for a message boundary before a connection is handed over anyway, in ms. */
const PASS_TIMEOUT_MS = 1000;

/** Options of every connection to an avatar, whatever the transport. */
export interface SocketConnectionOptions {
  readonly remote: string;
  /** Monotonic ms at which it was opened. */
  readonly openedAtMs: number;
  readonly clock: Clock;
  /** Set when another process holds a copy of its socket. */
  readonly heldSocket?: HeldSocket | undefined;
  /** Number of the first mark: late answers to marks of the previous process must not match one of ours. */
  readonly firstMark?: number | undefined;
}

/** Facts beside the counts in the shared state of an avatar's connection. */
export interface AvatarFacts {
  readonly name?: string | undefined;
  readonly remote?: string | undefined;
  readonly link?: LinkState | undefined;
}

/**
 * Connection over one avatar's socket: writes units whole, as far as the avatar has acknowledged earlier data, and
 * records each in the keeper's shared state.
 */
export abstract class SocketConnection implements Connection {
  readonly remote: string;
  readonly openedAtMs: number;
  readonly events = new Emitter<ConnectionEvents>();
  abstract readonly transport: 'websocket' | 'tcp';
  readonly acks: AckWindow;
  protected readonly socket: Duplex;
  protected readonly heldSocket: HeldSocket | undefined;
  protected closeReason = 'the avatar closed it, or its program ended';
  protected readonly clock: Clock;
  #closed = false;
  #passing: ((force: boolean) => void) | undefined;

  constructor(socket: Duplex, timing: AckTiming, options: SocketConnectionOptions) {
    this.socket = socket;
    this.remote = options.remote;
    this.openedAtMs = options.openedAtMs;
    this.clock = options.clock;
    this.heldSocket = options.heldSocket;
    this.acks = new AckWindow(timing, options.firstMark);
  }

  get unsentBytes(): number {
    return this.socket.writableLength + this.acks.waitingBytes;
  }

  /** Write errors are not reported here: the socket's close event reports them once. */
  send(unit: WireUnit): void {
    if (this.#closed || !this.socket.writable) return;
    if (this.acks.admit(unit)) this.#write(unit);
  }

  /** Stores the avatar's set-up for a process that takes over. */
  remember(name: string, link: LinkState): void {
    this.heldSocket?.line.facts({ name, remote: this.remote, link } satisfies AvatarFacts);
  }

  /** Gives it to the process that takes over, between two messages, once everything sent has left. */
  passOn(onPassed: () => void): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#passing?.(true), PASS_TIMEOUT_MS);
      const attempt = (force: boolean): void => {
        const ready = this.unsentBytes === 0 && this.inboundWhole;
        if (this.#passing !== now || !(ready || force)) return;
        // Without the keeper no process could take it, and closing it here would end the avatar.
        if (!this.#closed && !this.heldSocket?.held) return;
        this.#passing = undefined;
        clearTimeout(timer);
        onPassed();
        if (!this.#closed) this.#pass();
        resolve();
      };
      // Not inside an event: bytes that came with this message may contain another one.
      const now = (force: boolean): void => queueMicrotask(() => attempt(force));
      this.#passing = now;
      now(false);
    });
  }

  destroy(): void {
    this.closeReason = 'the bridge dropped it';
    this.drop();
  }

  /** True when the last incoming byte ended a message. */
  protected abstract get inboundWhole(): boolean;

  /** Encodes a unit for the socket, with a mark behind it. @returns bytes in `roomFor`'s room */
  protected abstract encode(unit: WireUnit, mark: number | undefined): Buffer;

  /** Closes the socket at once. */
  protected abstract drop(): void;

  /** Called by the subclass with bytes of the avatar. */
  protected received(bytes: Uint8Array): void {
    this.events.emit('message', bytes);
    this.#passing?.(false);
  }

  /** Called by the subclass with a mark that may have come back. @returns true when it was one */
  protected acknowledged(mark: number | undefined): boolean {
    const known = this.acks.answered(mark, this.clock.nowMs(), (unit) => this.#write(unit));
    if (known) this.events.emit('acknowledged', undefined);
    this.#passing?.(false);
    return known;
  }

  /** Called by the subclass when the socket is closed. */
  protected ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#passing?.(true);
    this.events.emit('closed', this.closeReason);
  }

  #pass(): void {
    this.#closed = true;
    if (this.inboundWhole) this.heldSocket?.line.inboundWhole();
    this.drop();
    this.heldSocket?.pass();
  }

  #write(unit: WireUnit): void {
    const line = this.heldSocket?.line;
    const mark = this.acks.wrote(unit, this.clock.nowMs());
    if (unit.kind === 'frame') line?.frame(unit.samples.length);
    writeFrom(this.socket, this.encode(unit, mark));
    if (!line) return;
    if (unit.kind === 'segment-end') line.ended();
    // Data that the system has not taken yet is lost with this process.
    else if (unit.kind === 'frame' && this.socket.writableLength === 0) line.left();
  }
}

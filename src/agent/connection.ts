import type { Emitter } from '../base/emitter.js';

/** The events of a connection. */
export interface ConnectionEvents {
  /** One message of the agent, as bytes: not always valid UTF-8 (protocol.md §1). */
  message: Uint8Array;
  /** A mark came back: everything sent before it has been read by the agent (protocol.md §5). */
  mark: Uint8Array;
  /** It is gone, with the reason as a clause; the last event. */
  closed: string;
}

/**
 * What carries one agent's bytes. A transport makes it; the agent's side uses it and never closes it while the agent
 * should live: losing the connection ends the agent's program (protocol.md §1).
 */
export interface Connection {
  /** The other end, for logs: `127.0.0.1:51324`. */
  readonly remote: string;
  /** Monotonic ms at which it was opened. */
  readonly openedAtMs: number;
  readonly events: Emitter<ConnectionEvents>;
  /** False over transports without pings. */
  readonly canMark: boolean;
  /** Bytes handed over that the operating system has not taken yet. */
  readonly unsentBytes: number;
  /**
   * Sends one unit of the wire, whole, in one write. Does nothing once closed.
   * @param unit the sender's again once this returns: what waits is a copy
   * @param mark sent behind it, in the same write where that can be; the same bytes come back as a `mark` event.
   * 1 to 125 of them, never none (protocol.md §2); only where `canMark`
   */
  send(unit: Uint8Array, mark?: Uint8Array): void;
  /** Keeps what a process that takes over must know; absent where nobody could. */
  remember?(agentName: string, state: LinkState): void;
  /**
   * Gives it up to another process, between two messages; absent where none could take it.
   * @param onPassed called at the moment from which nothing is sent or received here any more
   */
  passOn?(onPassed: () => void): Promise<void>;
  /** Drops it at once, without a word to the agent, whose program will end. */
  destroy(): void;
}

/** What is known of an agent whose connection another process has had before. */
export interface LinkState {
  /** External control is on. */
  readonly started?: boolean;
  /** The model whose lips are bound. */
  readonly model?: string;
  readonly mode?: 'file' | 'stream';
  /** Who moves its lips. */
  readonly lips?: 'avatar' | 'commands';
  /** Its volume, in dB. */
  readonly gainDb?: number;
  /** Somebody holds its speeches. */
  readonly paused?: boolean;
  /** Samples sent since the last segment end. */
  readonly openSamples?: number;
  /** True when the last frame of those may not have left. */
  readonly inDoubt?: boolean;
  /** Monotonic ms at which it has played all that it was sent. */
  readonly dryAtMs?: number;
}

import type { Emitter } from '../base/emitter.js';
import type { AgentMessage, WireUnit } from './wire.js';

/** The events of a connection. */
export interface ConnectionEvents {
  /**
   * Bytes of the agent: over WebSocket one message, over TCP the next ones, in any chunking. Not always valid UTF-8
   * (protocol.md §1).
   */
  message: Uint8Array;
  /** The agent is known to have read more than before; `acks` is up to date. */
  acknowledged: undefined;
  /** The connection is closed, with the reason as a clause; the last event. */
  closed: string;
}

/** Round trip of the agent's acknowledgements, in ms. */
export interface RoundTrip {
  readonly count: number;
  readonly lastMs: number;
  readonly minMs: number;
  readonly medianMs: number;
  readonly maxMs: number;
  /** Difference between the fastest and nearly the slowest of the last round trips; a lead has to cover it. */
  readonly jitterMs: number;
}

/** Totals sent on one connection, and the part its agent is known to have read. */
export interface Acknowledgements {
  /** Frames, the samples in them at 16 kHz, and commands handed over. */
  readonly sent: Readonly<{ frames: number; samples: number; commands: number }>;
  /** Samples that the agent is known to have read. */
  readonly readSamples: number;
  /** Monotonic ms from which silence means that the agent has stopped reading; undefined while nothing is unanswered. */
  readonly overdueAtMs: number | undefined;
  /** Undefined before the first acknowledgement. */
  readonly roundTrip: RoundTrip | undefined;
}

/**
 * Transport of one agent's bytes. A transport makes it; the agent's side uses it and never closes it while the agent
 * should live: losing the connection ends the agent's program (protocol.md §1).
 */
export interface Connection {
  /** Address of the other end, for logs: `127.0.0.1:51324`. */
  readonly remote: string;
  /** Monotonic ms at which it was opened. */
  readonly openedAtMs: number;
  readonly events: Emitter<ConnectionEvents>;
  /** Transport kind. Over TCP, the position follows the clock between acknowledgements, which come about once a second. */
  readonly transport: 'websocket' | 'tcp';
  readonly acks: Acknowledgements;
  /** Bytes handed over that the operating system has not taken yet. */
  readonly unsentBytes: number;
  /**
   * Sends one unit of the wire, whole, in one write. Does nothing once closed.
   * @param unit may be reused by the caller once this returns: a waiting unit is copied
   */
  send(unit: WireUnit): void;
  /** Takes a message that may acknowledge what was sent. @returns true when it does, and nobody else should see it */
  takeEcho?(message: AgentMessage): boolean;
  /** Probes the agent; `acknowledged` is the answer. Absent where the transport has no probe. */
  probe?(): void;
  /** Stops reading until `release`; incoming data waits. Absent where the transport cannot. */
  hold?(): void;
  release?(): void;
  /** Stores the state that a process taking over needs; absent where none can take over. */
  remember?(agentName: string, state: LinkState): void;
  /**
   * Hands the connection to another process, between two messages; absent where none can take it.
   * @param onPassed called when nothing is sent or received here any more
   */
  passOn?(onPassed: () => void): Promise<void>;
  /** Drops the connection at once, without a close handshake. The agent's program will end. */
  destroy(): void;
}

/** Known state of an agent whose connection another process had before. */
export interface LinkState {
  /** True while external control is on. */
  readonly started?: boolean | undefined;
  /** The model whose lips are bound. */
  readonly model?: string | undefined;
  readonly mode?: 'file' | 'stream' | undefined;
  /** Source of its lip movements. */
  readonly lips?: 'avatar' | 'commands' | undefined;
  /** Gain, in dB. */
  readonly gainDb?: number | undefined;
  /** True while its speeches are paused. */
  readonly paused?: boolean | undefined;
  /** Commands that the avatar waits for, and that were still to be sent: the end of what it asked for. */
  readonly owed?: readonly string[] | undefined;
  /** Samples sent since the last segment end. */
  readonly openSamples?: number | undefined;
  /** True when the last frame of those may not have been sent. */
  readonly inDoubt?: boolean | undefined;
  /** Monotonic ms at which it has played everything it was sent. */
  readonly dryAtMs?: number | undefined;
}

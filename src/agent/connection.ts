import type { Emitter } from '../base/emitter.js';
import type { AgentMessage, WireUnit } from './wire.js';

/** The events of a connection. */
export interface ConnectionEvents {
  /**
   * Bytes of the agent: over WebSocket one message, over TCP the next ones, in any chunking. Not always valid UTF-8
   * (protocol.md §1).
   */
  message: Uint8Array;
  /** The agent is known to have read more than before: `acks` has been brought up to date. */
  acknowledged: undefined;
  /** It is gone, with the reason as a clause; the last event. */
  closed: string;
}

/** The round trip of what an agent acknowledges, in ms. */
export interface RoundTrip {
  readonly count: number;
  readonly lastMs: number;
  readonly minMs: number;
  readonly medianMs: number;
  readonly maxMs: number;
  /** Difference between the fastest and nearly the slowest of the last ones: a lead has to cover it. */
  readonly jitterMs: number;
}

/** What one connection was sent, and what its agent is known to have read of it. */
export interface Acknowledgements {
  /** Frames, the samples in them at 16 kHz, and commands that were handed over. */
  readonly sent: Readonly<{ frames: number; samples: number; commands: number }>;
  /** Samples known to have been read. */
  readonly readSamples: number;
  /** Monotonic ms from which silence means that the agent has stopped reading; undefined while nothing is unanswered. */
  readonly overdueAtMs: number | undefined;
  /** Undefined before the first acknowledgement. */
  readonly roundTrip: RoundTrip | undefined;
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
  /** Over TCP, the position follows the clock between acknowledgements, which come about once a second. */
  readonly transport: 'websocket' | 'tcp';
  readonly acks: Acknowledgements;
  /** Bytes handed over that the operating system has not taken yet. */
  readonly unsentBytes: number;
  /**
   * Sends one unit of the wire, whole, in one write. Does nothing once closed.
   * @param unit the sender's again once this returns: what waits is a copy
   */
  send(unit: WireUnit): void;
  /** Takes a message that may answer for what was sent. @returns true when it does: it is nobody else's business */
  takeEcho?(message: AgentMessage): boolean;
  /** Asks the agent for a sign of life; `acknowledged` is the answer. Absent where nothing can ask. */
  probe?(): void;
  /** Reads nothing until `release`; what comes waits. Absent where it cannot. */
  hold?(): void;
  release?(): void;
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
  readonly started?: boolean | undefined;
  /** The model whose lips are bound. */
  readonly model?: string | undefined;
  readonly mode?: 'file' | 'stream' | undefined;
  /** Who moves its lips. */
  readonly lips?: 'avatar' | 'commands' | undefined;
  /** Its volume, in dB. */
  readonly gainDb?: number | undefined;
  /** Somebody holds its speeches. */
  readonly paused?: boolean | undefined;
  /** Commands that the avatar waits for, and that were still to be sent: the end of what it asked for. */
  readonly owed?: readonly string[] | undefined;
  /** Samples sent since the last segment end. */
  readonly openSamples?: number | undefined;
  /** True when the last frame of those may not have left. */
  readonly inDoubt?: boolean | undefined;
  /** Monotonic ms at which it has played all that it was sent. */
  readonly dryAtMs?: number | undefined;
}

import type { DropReason, Gap } from './playback.js';
import type { BrokenRule, RuleId } from './rules.js';
import type { SegmentReport } from './segments.js';

/**
 * `new`: before `connect`; `connecting`: tries to connect; `starting`: connected, model not loaded; `ready`:
 * runs commands and plays; `dead`: final, because the real avatar does not survive the loss of its connection
 * (protocol.md §1).
 */
export type SimulatorState = 'new' | 'connecting' | 'starting' | 'ready' | 'dead';

/**
 * Cause of death. `refused`: never accepted; `disconnected`: the other side ended the connection; `killed`:
 * by invalid data; `left`: on its own.
 */
export type DeathCause = 'refused' | 'disconnected' | 'killed' | 'left';

/** End of a simulated avatar. */
export interface Death {
  readonly cause: DeathCause;
  /** Description, as a sentence. */
  readonly detail: string;
  /** Milliseconds since the upgrade; 0 without one. */
  readonly atMs: number;
}

/** A received text command. */
export interface ReceivedCommand {
  readonly line: string;
  /** Milliseconds since the upgrade. */
  readonly atMs: number;
}

/** Report of a simulated avatar, as plain JSON. Times are milliseconds since the upgrade. */
export interface SimulatorReport {
  /** Last requested address: after a 429 it has a suffix (protocol.md §1). */
  readonly url: string;
  readonly attempts: number;
  readonly state: SimulatorState;
  readonly upgraded: boolean;
  /** True when it became ready, even if it is dead now. */
  readonly ready: boolean;
  readonly readyAtMs?: number;
  readonly alive: boolean;
  /** True when received data made it hang for good (protocol.md §2). */
  readonly wedged: boolean;
  readonly died?: Death;
  readonly modelAlias: string;

  /** Last received commands; `commandCount` is their total number. */
  readonly commands: readonly ReceivedCommand[];
  readonly commandCount: number;
  readonly messagesReceived: number;
  readonly bytesReceived: number;
  readonly audioFrames: number;
  /** Answered pings with a payload: the delivery marks of protocol.md §5. */
  readonly marksAnswered: number;
  readonly messagesSent: number;

  readonly samplesReceived: number;
  readonly samplesHeard: number;
  /** Samples in its buffer. Received = heard + held + dropped. */
  readonly samplesHeld: number;
  readonly samplesDropped: Readonly<Record<DropReason, number>>;
  readonly maxHeldMs: number;
  readonly gaps: readonly Gap[];
  readonly gapCount: number;
  readonly gapMs: number;
  /** Time from the first sound frame to the first sound. */
  readonly firstSoundAfterMs?: number;
  readonly lastSoundAtMs?: number;
  readonly segments: readonly SegmentReport[];

  /** Broken rules that lose or could lose something; the first cases of each. */
  readonly faults: readonly BrokenRule[];
  /** Broken rules of good practice; nothing is lost. */
  readonly notes: readonly BrokenRule[];
  /** Number of cases of each broken rule, notes included. */
  readonly ruleCounts: Readonly<Partial<Record<RuleId, number>>>;
}

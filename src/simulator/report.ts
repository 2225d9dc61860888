import type { DropReason, Gap } from './playback.js';
import type { BrokenRule, RuleId } from './rules.js';
import type { SegmentReport } from './segments.js';

/**
 * `new` until `connect`; `connecting`: it tries; `starting`: connected, its model not loaded; `ready`: it runs
 * commands and plays; `dead`, for good: the real one does not survive the loss of its connection (protocol.md §1).
 */
export type SimulatorState = 'new' | 'connecting' | 'starting' | 'ready' | 'dead';

/**
 * Why it is dead. `refused`: it was never let in; `disconnected`: the other side ended the connection; `killed`: by
 * what it was sent; `left`: it went by itself.
 */
export type DeathCause = 'refused' | 'disconnected' | 'killed' | 'left';

/** The end of a simulated avatar. */
export interface Death {
  readonly cause: DeathCause;
  /** A whole sentence. */
  readonly detail: string;
  /** Milliseconds since the upgrade; 0 when there was none. */
  readonly atMs: number;
}

/** A text command that came. */
export interface ReceivedCommand {
  readonly line: string;
  /** Milliseconds since the upgrade. */
  readonly atMs: number;
}

/** All that a simulated avatar can tell, as plain JSON. Times are milliseconds since the upgrade. */
export interface SimulatorReport {
  /** The address as it was asked for last: after a 429 it has a suffix (protocol.md §1). */
  readonly url: string;
  readonly attempts: number;
  readonly state: SimulatorState;
  readonly upgraded: boolean;
  /** True when it became ready, even if it is dead by now. */
  readonly ready: boolean;
  readonly readyAtMs?: number;
  readonly alive: boolean;
  /** True when what it was sent has made it deaf for good (protocol.md §2). */
  readonly wedged: boolean;
  readonly died?: Death;
  readonly modelAlias: string;

  /** The last of the commands that came; `commandCount` tells how many there were. */
  readonly commands: readonly ReceivedCommand[];
  readonly commandCount: number;
  readonly messagesReceived: number;
  readonly bytesReceived: number;
  readonly audioFrames: number;
  /** Pings with a payload, answered: the delivery marks of protocol.md §5. */
  readonly marksAnswered: number;
  readonly messagesSent: number;

  readonly samplesReceived: number;
  readonly samplesHeard: number;
  /** Still in its buffer. Received = heard + held + all that was dropped. */
  readonly samplesHeld: number;
  readonly samplesDropped: Readonly<Record<DropReason, number>>;
  readonly maxHeldMs: number;
  readonly gaps: readonly Gap[];
  readonly gapCount: number;
  readonly gapMs: number;
  /** From the first sound frame to the first sound. */
  readonly firstSoundAfterMs?: number;
  readonly lastSoundAtMs?: number;
  readonly segments: readonly SegmentReport[];

  /** Broken rules that lose something or could; the first cases of each. */
  readonly faults: readonly BrokenRule[];
  /** What is legal and still not good manners. */
  readonly notes: readonly BrokenRule[];
  /** How often each rule was broken, notes included. */
  readonly ruleCounts: Readonly<Partial<Record<RuleId, number>>>;
}

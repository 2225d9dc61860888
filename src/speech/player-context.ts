import type { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import type { Emitter } from '../base/emitter.js';
import type { Logger } from '../base/logger.js';
import type { Gain } from '../audio/gain.js';
import type { ActiveSpeech, Ending } from './active-speech.js';
import type { AdaptiveLead, Lead } from './lead.js';
import type { PlaybackClock } from './playback-clock.js';
import type { FrameSink } from './sink.js';
import type { GapCause, Speech } from './speech.js';
import type { TimerWheel } from './timer-wheel.js';

/** What a player is made with. */
export interface PlayerOptions {
  /** How messages name the agent. */
  readonly agentName: string;
  readonly sink: FrameSink;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Length of a frame, in ms; 10 to 40. */
  readonly frameMs: number;
  /** What the agent may hold unplayed, in ms: fixed, or found out. */
  readonly lead: Lead;
  /** The lead of a speech whose own is `auto`. */
  readonly autoLead: AdaptiveLead;
  /** Speeches that may wait; one more is refused. */
  readonly maxQueued: number;
  /** Memory that waiting texts and cues may take, shared by all players. */
  readonly budget: ByteBudget;
  /** Converted sound read ahead of a speech, in ms. */
  readonly bufferMs: number;
  /** How long the agent may not read before its speech is given up, in ms. */
  readonly stallTimeoutMs: number;
  /** Throws when a command line may not be sent. */
  checkCommand(line: string): void;
  nextId(): string;
}

/** The events of a player. */
export interface PlayerEvents {
  /** A speech was taken on. */
  speech: Speech;
  /** A silence that was not in the sound. */
  gap: { speech: Speech; lengthMs: number; cause: GapCause };
  /** Nothing sounds and nothing waits. */
  idle: undefined;
}

/** What `interrupt()` ended. */
export interface Interruption {
  /** How much of the speech that sounded was heard, in ms; 0 when none did. */
  readonly heardMs: number;
  /** Speeches that had been waiting and were dropped. */
  readonly dropped: number;
}

/** Told by the parts of a player what became of a speech. */
export interface PlayerListener {
  /** It has prepared: its frames may leave. */
  ready(run: ActiveSpeech): void;
  /** It is at its end. */
  ended(run: ActiveSpeech, ending: Ending): void;
  /** The agent was silent where there should have been sound of it. */
  gap(run: ActiveSpeech, lengthMs: number, cause: GapCause): void;
  /** Another speech may be able to begin. */
  advance(): void;
}

/** What the parts of one player share. */
export interface PlayerContext extends PlayerOptions {
  /** The agent's volume, over that of each speech. */
  readonly volume: Gain;
  readonly playback: PlaybackClock;
  readonly events: Emitter<PlayerEvents>;
  readonly listener: PlayerListener;
}

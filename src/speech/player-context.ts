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

/** Options of a player. */
export interface PlayerOptions {
  /** Name of the agent in messages. */
  readonly agentName: string;
  readonly sink: FrameSink;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Frame length, in ms; 10 to 40. */
  readonly frameMs: number;
  /** Maximum sound the agent may hold unplayed, in ms: fixed or adaptive. */
  readonly lead: Lead;
  /** Lead of a speech whose own setting is `auto`. */
  readonly autoLead: AdaptiveLead;
  /** Maximum number of waiting speeches; another one is refused. */
  readonly maxQueued: number;
  /** Memory budget for waiting texts and cues, shared by all players. */
  readonly budget: ByteBudget;
  /** Converted sound read ahead of a speech, in ms. */
  readonly bufferMs: number;
  /** Time without reading after which the agent's speech is given up, in ms. */
  readonly stallTimeoutMs: number;
  /** Throws when a command line may not be sent. */
  checkCommand(line: string): void;
  nextId(): string;
}

/** Events of a player. */
export interface PlayerEvents {
  /** A speech was accepted. */
  speech: Speech;
  /** A silence that was not in the sound. */
  gap: { speech: Speech; lengthMs: number; cause: GapCause };
  /** Nothing sounds and nothing waits. */
  idle: undefined;
}

/** Result of `interrupt()`. */
export interface Interruption {
  /** Part of the current speech that was heard, in ms; 0 without one. */
  readonly heardMs: number;
  /** Number of waiting speeches that were dropped. */
  readonly dropped: number;
}

/** Callbacks from the parts of a player. */
export interface PlayerListener {
  /** Called when a run has prepared and its frames may be sent. */
  ready(run: ActiveSpeech): void;
  /** Called when a run has ended. */
  ended(run: ActiveSpeech, ending: Ending): void;
  /** Called when the agent was silent within the run's sound. */
  gap(run: ActiveSpeech, lengthMs: number, cause: GapCause): void;
  /** Called when another speech may be able to begin. */
  advance(): void;
}

/** Options and state shared by the parts of one player. */
export interface PlayerContext extends PlayerOptions {
  /** Volume of the agent, applied after that of each speech. */
  readonly volume: Gain;
  readonly playback: PlaybackClock;
  readonly events: Emitter<PlayerEvents>;
  readonly listener: PlayerListener;
}

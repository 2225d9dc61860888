import type { OpenSound } from '../audio/input.js';
import type { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { TimerWheel } from '../speech/timer-wheel.js';
import type { Narrator } from './say.js';

/** What every agent of a bridge shares. */
export interface AgentSettings {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly logger: Logger;
  readonly openSound: OpenSound;
  readonly narrator: Narrator;
  /** Alias of the model whose lips move unless a speech names another. */
  readonly model: string;
  readonly frameMs: number;
  /** What an agent may hold unplayed, in ms; `auto` finds it out. */
  readonly leadMs: number | 'auto';
  /** How long a speech or command waits for an agent that is not there, in ms. */
  readonly agentTimeoutMs: number;
  /** How long a model may take to be loaded, in ms. */
  readonly readyTimeoutMs: number;
  /** No sound leaves sooner after an avatar has connected, in ms, unless it tells that its sound device is open. */
  readonly firstSoundMs: number;
  readonly maxQueued: number;
  /** Memory that waiting texts and cues may take, of all agents together. */
  readonly budget: ByteBudget;
  readonly bufferMs: number;
  readonly allowDangerous: boolean;
  /** Names of the agents that are connected. */
  connectedAgents(): string[];
  nextSpeechId(): string;
}

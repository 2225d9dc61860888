import type { OpenSound } from '../audio/input.js';
import type { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { TimerWheel } from '../speech/timer-wheel.js';
import type { Narrator } from './say.js';

/** Settings that all agents of a bridge share. */
export interface AgentSettings {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly logger: Logger;
  readonly openSound: OpenSound;
  readonly narrator: Narrator;
  /** Alias of the model whose lips move, unless a speech names another. */
  readonly model: string;
  readonly frameMs: number;
  /** Maximum audio that an agent holds unplayed, in ms; `auto` measures it. */
  readonly leadMs: number | 'auto';
  /** Maximum wait of a speech or command for an absent agent, in ms. */
  readonly agentTimeoutMs: number;
  /** Maximum loading time of a model, in ms. */
  readonly readyTimeoutMs: number;
  /** Minimum time between connecting and the first sound, in ms, unless the avatar reports that its device is open. */
  readonly firstSoundMs: number;
  readonly maxQueued: number;
  /** Memory for waiting texts and cues of all agents together. */
  readonly budget: ByteBudget;
  readonly bufferMs: number;
  readonly allowDangerous: boolean;
  /** Names of the agents that are connected. */
  connectedAgents(): string[];
  nextSpeechId(): string;
}

import type { Agent } from '../agent/agent.js';
import type { BridgeHandle } from '../bridge.js';
import type { GapCause, SpeechEndKind } from '../speech/speech.js';

/** Name for the agents beyond the limit; no agent can have this name. */
export const OTHER_AGENTS = '(other)';

/** Counters of one name since the service began. */
export interface AgentTotals {
  frames: number;
  /** Samples in them, at 16 kHz. */
  samples: number;
  commands: number;
  messages: number;
  connections: number;
  losses: number;
  unanswered: number;
  /** Dropped live sound, in ms, without that of unfinished speeches. */
  droppedMs: number;
  readonly gaps: Record<GapCause, number>;
  readonly gapMs: Record<GapCause, number>;
  readonly speeches: Record<SpeechEndKind, number>;
}

/** Measured times of a speech, in ms. */
export interface SpeechTimes {
  /** From the request for a speech to its turn. */
  waited(ms: number): void;
  /** From its turn to its first sound, as heard. */
  sounded(ms: number): void;
}

/**
 * Counters of a bridge's events by agent. Agents choose their own names, so the number of names is limited: the first
 * ones to connect are counted by name, all later ones together. Nothing is done per frame: an agent counts its own frames,
 * which are read on request.
 */
export class AgentMeters {
  readonly #bridge: BridgeHandle;
  readonly #times: SpeechTimes;
  readonly #maxNames: number;
  readonly #totals = new Map<string, AgentTotals>();
  /** Part of an agent's own counts that is already in the totals. */
  readonly #read = new WeakMap<Agent, Agent['sent']>();

  /** @param maxNames maximum number of agents counted by name */
  constructor(bridge: BridgeHandle, times: SpeechTimes, maxNames: number) {
    this.#bridge = bridge;
    this.#times = times;
    this.#maxNames = maxNames;
    bridge.agents().forEach((agent) => this.#watch(agent));
    bridge.on('agent', (agent) => this.#watch(agent));
  }

  /** Returns all counters, by name. */
  totals(): ReadonlyMap<string, AgentTotals> {
    for (const agent of this.#bridge.agents()) this.#readSent(agent);
    return this.#totals;
  }

  /** Returns the connected agents that have their own counters. */
  named(): Agent[] {
    return this.#bridge.agents().filter(({ name, state }) => state !== 'absent' && this.#totals.has(name));
  }

  /** Returns dropped live sound of unfinished speeches, in ms by name. */
  droppingMs(): Map<string, number> {
    const dropping = new Map<string, number>();
    for (const agent of this.#bridge.agents()) {
      const label = this.#label(agent.name);
      for (const { position } of agent.speeches) {
        if (position.droppedMs > 0) dropping.set(label, (dropping.get(label) ?? 0) + position.droppedMs);
      }
    }
    return dropping;
  }

  /** Counts live sound that was dropped before the player. */
  dropped(agent: string, ms: number): void {
    this.#of(agent).droppedMs += ms;
  }

  #watch(agent: Agent): void {
    const { name } = agent;
    agent.on('connected', () => (this.#of(name, true).connections += 1));
    agent.on('lost', ({ code }) => {
      // Another process has the agent now.
      if (code !== 'RESTARTING') this.#of(name).losses += 1;
      // The agent may be forgotten now, with its counts.
      this.#readSent(agent);
    });
    agent.on('unanswered', () => (this.#of(name).unanswered += 1));
    agent.on('message', () => (this.#of(name).messages += 1));
    agent.on('gap', ({ lengthMs, cause }) => {
      const totals = this.#of(name);
      totals.gaps[cause] += 1;
      totals.gapMs[cause] += lengthMs;
    });
    agent.on('speech', (speech) => {
      const { clock } = this.#bridge;
      const askedMs = clock.nowMs();
      let turnMs: number | undefined;
      speech.on('state', (state) => {
        if (state !== 'preparing' || turnMs !== undefined) return;
        turnMs = clock.nowMs();
        this.#times.waited(turnMs - askedMs);
      });
      void speech.started.then((started) => {
        if (started && turnMs !== undefined) this.#times.sounded(clock.nowMs() - turnMs);
      });
      speech.on('ended', ({ how, droppedMs }) => {
        const totals = this.#of(name);
        totals.speeches[how] += 1;
        totals.droppedMs += droppedMs;
      });
    });
  }

  #readSent(agent: Agent): void {
    const { frames, samples, commands } = agent.sent;
    const read = this.#read.get(agent) ?? { frames: 0, samples: 0, commands: 0 };
    if (frames === read.frames && commands === read.commands) return;
    const totals = this.#of(agent.name);
    totals.frames += frames - read.frames;
    totals.samples += samples - read.samples;
    totals.commands += commands - read.commands;
    this.#read.set(agent, { frames, samples, commands });
  }

  /** @param connected true for an agent that has connected; a name that callers only ask for gets no counters of its own */
  #of(name: string, connected = false): AgentTotals {
    const own = this.#totals.get(name);
    if (own) return own;
    const label = connected && this.#namedCount < this.#maxNames ? name : OTHER_AGENTS;
    let totals = this.#totals.get(label);
    if (!totals) this.#totals.set(label, (totals = newTotals()));
    return totals;
  }

  #label(name: string): string {
    return this.#totals.has(name) ? name : OTHER_AGENTS;
  }

  get #namedCount(): number {
    return this.#totals.size - (this.#totals.has(OTHER_AGENTS) ? 1 : 0);
  }
}

function newTotals(): AgentTotals {
  return {
    frames: 0,
    samples: 0,
    commands: 0,
    messages: 0,
    connections: 0,
    losses: 0,
    unanswered: 0,
    droppedMs: 0,
    gaps: { source: 0, stall: 0, agent: 0 },
    gapMs: { source: 0, stall: 0, agent: 0 },
    speeches: { completed: 0, stopped: 0, failed: 0, 'avatar-lost': 0 },
  };
}

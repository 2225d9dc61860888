import type { Clock } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { OpenSound, SoundInput, SoundInputOptions } from '../audio/input.js';
import { broadcast } from '../speech/broadcast.js';
import { startGate } from '../speech/gate.js';
import type { Speech, SpeechEnd, SpeechOptions } from '../speech/speech.js';
import type { Agent } from './agent.js';

/** How long those that are ready wait for the others before they begin without them, in ms. */
const PATIENCE_MS = 3000;

/** One sound, spoken by several agents. */
export interface GroupSpeech {
  /** Each agent's own speech, in the order of the agents. */
  readonly speeches: readonly Speech[];
  /** Settles when all have ended, with each one's end by the agent's name. Never rejects. */
  readonly finished: Promise<ReadonlyMap<string, SpeechEnd>>;
  /** Ends it everywhere. */
  stop(options?: { fadeMs?: number }): Promise<ReadonlyMap<string, SpeechEnd>>;
}

/**
 * Several agents at once. Their frames leave in step: the sound is read once, and all begin together. A slow one never
 * holds the others back: one that is not ready in time, or stops reading, is left behind with an error of its own.
 */
export class AgentGroup {
  readonly agents: readonly Agent[];
  readonly #openSound: OpenSound;
  readonly #clock: Clock;

  /** Made by the bridge, never by a caller. @throws BridgeError AGENT_UNKNOWN without any agent */
  constructor(agents: readonly Agent[], openSound: OpenSound, clock: Clock) {
    if (agents.length === 0) throw new BridgeError('AGENT_UNKNOWN', 'There is no agent in the group.');
    this.agents = agents;
    this.#openSound = openSound;
    this.#clock = clock;
  }

  /** Speaks one sound on all of them. @throws as `Agent.speak`; then none of them has taken it on */
  speak(
    input: SoundInput,
    options: SpeechOptions & SoundInputOptions & { readonly patienceMs?: number } = {},
  ): GroupSpeech {
    const { patienceMs = PATIENCE_MS, ...rest } = options;
    const sound = this.#openSound(input, rest);
    const branches = broadcast(sound, this.agents.length);
    const gate = startGate(
      this.#clock,
      this.agents.length,
      patienceMs,
      () =>
        new BridgeError(
          'AGENT_ABSENT',
          `The group began ${sound.label} without this agent: it was not ready in time.`,
        ),
    );
    const speeches: Speech[] = [];
    try {
      this.agents.forEach((agent, index) => speeches.push(agent.speak(branches[index]!, { ...rest, gate })));
    } catch (error) {
      for (const speech of speeches) void speech.stop();
      throw error;
    }
    const finished = Promise.all(speeches.map((speech) => speech.finished)).then(
      (ends) => new Map(ends.map((end, index) => [this.agents[index]!.name, end])),
    );
    return {
      speeches,
      finished,
      stop: (how) => {
        for (const speech of speeches) void speech.stop(how);
        return finished;
      },
    };
  }

  /**
   * Sends a command to all of them.
   * @returns what became of it by the agent's name: nothing, or why it was not sent
   */
  async send(line: string): Promise<ReadonlyMap<string, unknown>> {
    const results = await Promise.allSettled(this.agents.map((agent) => agent.send(line)));
    return new Map(
      results.map((result, index) => [
        this.agents[index]!.name,
        result.status === 'rejected' ? (result.reason as unknown) : undefined,
      ]),
    );
  }
}

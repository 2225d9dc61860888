import type { Clock, Timer } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { SoundInput, SoundInputOptions } from '../audio/input.js';
import { liveSound } from '../audio/live-sound.js';
import { broadcast } from '../speech/broadcast.js';
import type { Speech, SpeechEnd, SpeechOptions, StartGate } from '../speech/speech.js';
import type { Agent } from './agent.js';
import type { SayOptions, SayText } from './say.js';
import type { AgentSettings } from './settings.js';

/** Default time that ready agents wait for the others before they begin without them, in ms. */
const PATIENCE_MS = 3000;
/** Maximum lag of the other agents after the first has finished, in ms. */
const LAG_MS = 3000;

/** One sound, spoken by several agents. */
export interface GroupSpeech {
  /** Each agent's own speech, in the order of the agents. */
  readonly speeches: readonly Speech[];
  /**
   * Settles when all have ended, with each agent's end by name. An agent that falls far behind the others is stopped
   * and not waited for; its end says so. Never rejects.
   */
  readonly finished: Promise<ReadonlyMap<string, SpeechEnd>>;
  /** Stops it on every agent. */
  stop(options?: { fadeMs?: number | undefined }): Promise<ReadonlyMap<string, SpeechEnd>>;
}

/** Agent settings that a group uses. */
export type GroupSettings = Pick<AgentSettings, 'openSound' | 'clock' | 'narrator'>;

/**
 * Several agents at once. Their frames leave in step: the sound is read once, and all begin together. A slow agent never
 * delays the others: one that is not ready in time, or stops reading, is skipped with its own error.
 */
export class AgentGroup {
  readonly agents: readonly Agent[];
  readonly #settings: GroupSettings;

  /** Called by the bridge only. @throws BridgeError AGENT_UNKNOWN without any agent */
  constructor(agents: readonly Agent[], settings: GroupSettings) {
    if (agents.length === 0) throw new BridgeError('AGENT_UNKNOWN', 'There is no agent in the group.');
    this.agents = agents;
    this.#settings = settings;
  }

  /** Speaks one sound on all agents. @throws as `Agent.speak`; then no agent has accepted it */
  speak(
    input: SoundInput,
    options: SpeechOptions & SoundInputOptions & { readonly patienceMs?: number | undefined } = {},
  ): GroupSpeech {
    const { patienceMs = PATIENCE_MS, ...rest } = options;
    const sound = this.#settings.openSound(input, rest);
    const branches = broadcast(sound, this.agents.length);
    const gate = startGate(
      this.#settings.clock,
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
    const finished = this.#ends(speeches);
    return {
      speeches,
      finished,
      stop: (how) => {
        for (const speech of speeches) void speech.stop(how);
        return finished;
      },
    };
  }

  /** Speaks one live sound on all agents; see `Agent.live`. @throws as `speak` */
  live(
    input: SoundInput,
    options: SpeechOptions & SoundInputOptions & { readonly patienceMs?: number | undefined } = {},
  ): GroupSpeech {
    return this.speak(liveSound(this.#settings.openSound(input, options), options), options);
  }

  /** Speaks a text on all agents, synthesised once. @throws as `Agent.say`; then no agent has accepted it */
  say(text: SayText, options: SayOptions & { readonly patienceMs?: number | undefined } = {}): GroupSpeech {
    const { patienceMs } = options;
    const spoken = this.#settings.narrator.prepare(text, options);
    const group = this.speak(spoken.sound, { ...spoken.options, patienceMs });
    group.speeches.forEach((speech, index) => {
      const agent = this.agents[index]!;
      spoken.follow(speech, (line) => agent.send(line));
    });
    return group;
  }

  /**
   * Sends a command to all agents.
   * @returns by agent name: undefined when it was sent, else the error
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

  /** Collects the end of each speech, including those of agents left behind. */
  async #ends(speeches: readonly Speech[]): Promise<ReadonlyMap<string, SpeechEnd>> {
    const ends = new Map<string, SpeechEnd>();
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      const settle = (index: number, end: SpeechEnd): void => {
        const { name } = this.agents[index]!;
        if (!ends.has(name)) ends.set(name, end);
        if (ends.size === speeches.length) resolve();
      };
      const leaveBehind = (): void =>
        speeches.forEach((speech, index) => {
          if (ends.has(this.agents[index]!.name)) return;
          settle(index, leftBehind(this.agents[index]!.name, speech));
          void speech.stop();
        });
      speeches.forEach((speech, index) => {
        void speech.finished.then((end) => {
          settle(index, end);
          if (end.how === 'completed') timer ??= this.#settings.clock.after(LAG_MS, leaveBehind);
        });
      });
    });
    timer?.cancel();
    return new Map(this.agents.map(({ name }) => [name, ends.get(name)!]));
  }
}

/** End of a speech that is still running long after the others have ended. */
function leftBehind(agent: string, speech: Speech): SpeechEnd {
  const { positionMs, durationMs, droppedMs } = speech.position;
  const message = `Agent ${agent} fell behind the others of ${speech.label} and was left behind.`;
  speech.tell('warning', message);
  return {
    how: 'failed',
    heardMs: positionMs,
    heard: 'assumed',
    durationMs,
    gaps: { count: 0, totalMs: 0, bySource: 0, byStall: 0, byAgent: 0 },
    droppedMs,
    latency: undefined,
    cuesSent: 0,
    cuesDropped: 0,
    error: new BridgeError('AGENT_STALLED', message),
  };
}

/**
 * Returns a gate for `count` speeches.
 * @param patienceMs maximum time the first waits for the last, in ms
 * @param tooLate makes the error of one that arrives after the gate has opened
 */
function startGate(clock: Clock, count: number, patienceMs: number, tooLate: () => Error): StartGate {
  let expected = count;
  let arrived = 0;
  let opened = false;
  let open!: () => void;
  let timer: Timer | undefined;
  const opening = new Promise<void>((resolve) => {
    open = () => {
      opened = true;
      timer?.cancel();
      resolve();
    };
  });
  return {
    async arrive(signal) {
      signal.throwIfAborted();
      if (opened) throw tooLate();
      arrived += 1;
      if (arrived >= expected) open();
      else timer ??= clock.after(patienceMs, open);
      await opening;
      signal.throwIfAborted();
    },
    leave() {
      expected -= 1;
      if (!opened && arrived >= expected) open();
    },
  };
}

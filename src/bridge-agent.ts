import { Agent } from './agent/agent.js';
import type { AgentSettings } from './agent/settings.js';
import { AgentGroup, type GroupSpeech } from './agent/group.js';
import type { Narrator, SayOptions } from './bridge-say.js';
import type { Speech } from './speech/speech.js';
import type { TextPiece } from './tts/script.js';

/** An agent that can be given text: what `bridge.agent()` returns. */
export class BridgeAgent extends Agent {
  readonly #narrator: Narrator;

  /** Made by the bridge, never by a caller. */
  constructor(name: string, settings: AgentSettings, narrator: Narrator) {
    super(name, settings);
    this.#narrator = narrator;
  }

  /**
   * Speaks a text, whole or while it is being written: the first sentence sounds while the next ones are still to come.
   * @param text a string, or the pieces of a text as a language model gives them, with tags between them
   * @returns the speech; its sound fails with TEXT_EMPTY when there is nothing to say, or with the engine's error
   * @throws BridgeError ENGINE_UNKNOWN, ENGINE_KEY_MISSING, OPTION_INVALID, or as `speak`
   */
  say(text: string | AsyncIterable<TextPiece>, options: SayOptions = {}): Speech {
    const spoken = this.#narrator.prepare(text, options);
    const speech = this.speak(spoken.sound, spoken.options);
    spoken.follow(speech, (line) => this.send(line));
    return speech;
  }
}

/** Several agents at once that can be given text: what `bridge.group()` returns. */
export class BridgeGroup extends AgentGroup<BridgeAgent> {
  readonly #narrator: Narrator;

  /** Made by the bridge, never by a caller. @throws BridgeError AGENT_UNKNOWN without any agent */
  constructor(agents: readonly BridgeAgent[], settings: AgentSettings, narrator: Narrator) {
    super(agents, settings.openSound, settings.clock);
    this.#narrator = narrator;
  }

  /** Speaks a text on all of them, synthesised once. @throws as `BridgeAgent.say`; then none of them has taken it on */
  say(
    text: string | AsyncIterable<TextPiece>,
    options: SayOptions & { readonly patienceMs?: number } = {},
  ): GroupSpeech {
    const { patienceMs } = options;
    const spoken = this.#narrator.prepare(text, options);
    const group = this.speak(spoken.sound, {
      ...spoken.options,
      ...(patienceMs !== undefined && { patienceMs }),
    });
    group.speeches.forEach((speech, index) => {
      const agent = this.agents[index]!;
      spoken.follow(speech, (line) => agent.send(line));
    });
    return group;
  }
}

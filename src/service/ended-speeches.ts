import type { Agent } from '../agent/agent.js';
import type { Bridge } from '../bridge.js';
import { speechResult, type SpeechResultJson } from './schemas.js';

/** Recently ended speeches, for callers that did not wait for the end. */
export class EndedSpeeches {
  readonly #byId = new Map<string, SpeechResultJson>();
  readonly #maxKept: number;

  /** @param maxKept maximum number of speeches */
  constructor(bridge: Bridge, maxKept: number) {
    this.#maxKept = maxKept;
    bridge.agents().forEach((agent) => this.#watch(agent));
    bridge.on('agent', (agent) => this.#watch(agent));
  }

  /** Returns the speech of that id, if one of these agents spoke it. */
  find(names: readonly string[] | 'all', id: string): SpeechResultJson | undefined {
    const speech = this.#byId.get(id);
    return speech && (names === 'all' || names.includes(speech.agent)) ? speech : undefined;
  }

  #watch(agent: Agent): void {
    agent.on('speech', (speech) => {
      speech.on('ended', (end) => {
        const [oldest] = this.#byId.keys();
        if (oldest !== undefined && this.#byId.size >= this.#maxKept) this.#byId.delete(oldest);
        this.#byId.set(speech.id, speechResult(agent.name, speech, end));
      });
    });
  }
}

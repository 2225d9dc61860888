import type { Clock } from '../base/clock.js';
import type { SpeechOptions as VoiceOptions, TtsEngine } from './engine.js';
import { createEngine, type EngineChoice } from './engines.js';
import type { Speaker } from './synthesis-job.js';

/** Which voice speaks, and how. */
export interface VoiceChoice {
  /** A name of the engines' table, an engine, or a function; by default the offline voice. */
  readonly engine?: EngineChoice;
  /** The named engine's own options, such as `{ baseUrl }`. Never a key: keys come from the environment, by name. */
  readonly engineOptions?: object;
  /** As the engine names it. */
  readonly voice?: string;
  /** A language tag such as `ja` or `en-US`. */
  readonly language?: string;
  /** Speed as a factor. */
  readonly rate?: number;
  /** Up or down, in semitones. */
  readonly pitchSemitones?: number;
  /** Loudness as a linear factor. */
  readonly volume?: number;
  /** Speaks what the engine cannot. */
  readonly fallback?: {
    readonly engine: EngineChoice;
    readonly engineOptions?: object;
    readonly voice?: string;
  };
}

/** The engine when none is named. */
export const DEFAULT_ENGINE = 'offline';

/** Engines kept at once; beyond it the one that was made first is closed. */
const MAX_ENGINES = 32;

/** The engines of a bridge: made when they are first named, shared by all agents, closed with the bridge. */
export class EnginePool {
  readonly #host: {
    readonly environment: Readonly<Record<string, string | undefined>>;
    readonly clock: Clock;
  };
  readonly #engines = new Map<string, TtsEngine>();

  /** @param host.environment where keys come from */
  constructor(host: { environment: Readonly<Record<string, string | undefined>>; clock: Clock }) {
    this.#host = host;
  }

  /**
   * The engine that was asked for.
   * @throws BridgeError ENGINE_UNKNOWN, OPTION_INVALID or ENGINE_KEY_MISSING
   */
  engine(choice: EngineChoice = DEFAULT_ENGINE, options: object = {}): TtsEngine {
    if (typeof choice !== 'string') return createEngine(choice, options, this.#host);
    const key = JSON.stringify([choice, options]);
    const known = this.#engines.get(key);
    if (known) return known;
    const made = createEngine(choice, options, this.#host);
    this.#engines.set(key, made);
    if (this.#engines.size > MAX_ENGINES) {
      const [oldest, engine] = this.#engines.entries().next().value!;
      this.#engines.delete(oldest);
      void engine.close();
    }
    return made;
  }

  /** Engine, voice and fallback of one speech. @throws as `engine` */
  choose(choice: VoiceChoice): { engine: TtsEngine; speech: VoiceOptions; fallback: Speaker | undefined } {
    const { voice, language, rate, pitchSemitones, volume, fallback } = choice;
    const manner = {
      ...(language !== undefined && { language }),
      ...(rate !== undefined && { rate }),
      ...(pitchSemitones !== undefined && { pitchSemitones }),
      ...(volume !== undefined && { volume }),
    };
    return {
      engine: this.engine(choice.engine, choice.engineOptions),
      speech: { ...manner, ...(voice !== undefined && { voice }) },
      fallback: fallback && {
        engine: this.engine(fallback.engine, fallback.engineOptions),
        speech: { ...manner, ...(fallback.voice !== undefined && { voice: fallback.voice }) },
      },
    };
  }

  /** Closes every engine. */
  async close(): Promise<void> {
    const engines = [...this.#engines.values()];
    this.#engines.clear();
    await Promise.all(engines.map((engine) => engine.close()));
  }
}

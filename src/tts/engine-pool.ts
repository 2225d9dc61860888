import type { Clock } from '../base/clock.js';
import { defined } from '../base/defined.js';
import type { VoiceOptions, TtsEngine, Voice } from './engine.js';
import { createEngine, type EngineChoice } from './engines.js';
import type { Speaker } from './synthesis-job.js';

/** Voice of a speech, and its settings. */
export interface VoiceChoice {
  /** A name of the engines' table, an engine, or a function; default: the best of this machine. */
  readonly engine?: EngineChoice | undefined;
  /**
   * Options of the named engine, such as `{ baseUrl }`. Never a key: keys come from the environment, by name.
   */
  readonly engineOptions?: object | undefined;
  /** Name of the voice, in the engine's own terms. */
  readonly voice?: string | undefined;
  /** A language tag such as `ja` or `en-US`. */
  readonly language?: string | undefined;
  /** Speed as a factor. */
  readonly rate?: number | undefined;
  /** Speed as a factor; 1 is normal. */
  readonly pitchSemitones?: number | undefined;
  /** Pitch shift, in semitones. */
  readonly volume?: number | undefined;
  /** Speaks what the engine cannot; `none` disables the default fallback. */
  readonly fallback?: EngineChoice | FallbackVoice | undefined;
}

/** Engine and voice that speak what the main engine cannot. */
export interface FallbackVoice {
  readonly engine: EngineChoice;
  readonly engineOptions?: object | undefined;
  readonly voice?: string | undefined;
}

/** Settings of one engine of the table, for all requests. */
export interface EngineSettings {
  /** Options of the engine. */
  readonly options?: object | undefined;
  readonly voice?: string | undefined;
  readonly language?: string | undefined;
}

/** Voice settings for requests without their own. */
export interface VoiceDefaults {
  readonly choice?: VoiceChoice | undefined;
  /** Settings by engine name. */
  readonly engines?: Readonly<Record<string, EngineSettings>> | undefined;
}

/** Default engine. */
export const DEFAULT_ENGINE = 'auto';

/** Maximum number of engines kept; beyond it the oldest is closed. */
const MAX_ENGINES = 32;

/** Engines of a bridge: created at their first use, shared by all agents, closed with the bridge. */
export class EnginePool {
  readonly #host: {
    readonly environment: Readonly<Record<string, string | undefined>>;
    readonly clock: Clock;
  };
  readonly #defaults: VoiceDefaults;
  readonly #engines = new Map<string, TtsEngine>();

  /** @param host.environment source of the keys */
  constructor(
    host: { environment: Readonly<Record<string, string | undefined>>; clock: Clock },
    defaults: VoiceDefaults = {},
  ) {
    this.#host = host;
    this.#defaults = defaults;
  }

  /** Returns the configured options of an engine, used when a request has none of its own. */
  configuredOptions(engine: string): object | undefined {
    const { choice = {}, engines = {} } = this.#defaults;
    const own = Object.hasOwn(engines, engine) ? engines[engine]?.options : undefined;
    const isDefault = (choice.engine ?? DEFAULT_ENGINE) === engine;
    return isDefault && choice.engineOptions ? { ...own, ...choice.engineOptions } : own;
  }

  /**
   * Completes a choice with the defaults. The default voice and language belong to the default engine;
   * another engine would not know them. Options of a request are used alone, so that no configured key is
   * sent to an address from a request.
   */
  settle(given: VoiceChoice): VoiceChoice & { readonly engine: EngineChoice } {
    const { choice = {}, engines = {} } = this.#defaults;
    const {
      engine: _engine,
      engineOptions: _options,
      voice: _voice,
      language: _language,
      ...manner
    } = choice;
    const usual = choice.engine ?? DEFAULT_ENGINE;
    const engine = given.engine ?? usual;
    const named = typeof engine === 'string' && Object.hasOwn(engines, engine) ? engines[engine] : undefined;
    const own = engine === usual ? choice : {};
    const engineOptions =
      given.engineOptions ?? (typeof engine === 'string' ? this.configuredOptions(engine) : undefined);
    const voice = given.voice ?? own.voice ?? named?.voice;
    const language = given.language ?? own.language ?? named?.language;
    return {
      ...manner,
      ...defined(given),
      engine,
      engineOptions,
      voice,
      language,
    };
  }

  /**
   * Returns the engine for a choice.
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

  /** Returns the engine, voice and fallback of one speech. @throws as `engine` */
  choose(given: VoiceChoice): { engine: TtsEngine; speech: VoiceOptions; fallback: Speaker | undefined } {
    const choice = this.settle(given);
    const { rate, pitchSemitones, volume } = choice;
    return {
      engine: this.engine(choice.engine, choice.engineOptions),
      speech: voiceOptions(choice),
      fallback: this.#fallback(choice, { rate, pitchSemitones, volume, language: given.language }),
    };
  }

  /**
   * Lists the voices of an engine. @throws as `engine`, or the ENGINE_ codes when the engine cannot be
   * queried
   */
  voices(choice: Pick<VoiceChoice, 'engine' | 'engineOptions'>, signal: AbortSignal): Promise<Voice[]> {
    const { engine, engineOptions } = this.settle(choice);
    return this.engine(engine, engineOptions).voices(signal);
  }

  #fallback({ fallback, engine }: VoiceChoice, manner: VoiceOptions): Speaker | undefined {
    if (fallback === undefined || fallback === 'none') return undefined;
    const given: FallbackVoice =
      typeof fallback === 'object' && 'engine' in fallback ? fallback : { engine: fallback };
    // A fallback to the same engine would fail the same way.
    if (given.engine === engine && given.engineOptions === undefined) return undefined;
    const { fallback: _fallback, ...choice } = this.settle({ ...given, ...defined(manner) });
    return { engine: this.engine(choice.engine, choice.engineOptions), speech: voiceOptions(choice) };
  }

  /** Closes every engine. */
  async close(): Promise<void> {
    const engines = [...this.#engines.values()];
    this.#engines.clear();
    await Promise.all(engines.map((engine) => engine.close()));
  }
}

function voiceOptions({ voice, language, rate, pitchSemitones, volume }: VoiceChoice): VoiceOptions {
  return { voice, language, rate, pitchSemitones, volume };
}

import type { Clock } from '../base/clock.js';
import { defined } from '../base/defined.js';
import type { VoiceOptions, TtsEngine, Voice } from './engine.js';
import { createEngine, type EngineChoice } from './engines.js';
import type { Speaker } from './synthesis-job.js';

/** Which voice speaks, and how. */
export interface VoiceChoice {
  /** A name of the engines' table, an engine, or a function; by default the best of this machine. */
  readonly engine?: EngineChoice | undefined;
  /** The named engine's own options, such as `{ baseUrl }`. Never a key: keys come from the environment, by name. */
  readonly engineOptions?: object | undefined;
  /** As the engine names it. */
  readonly voice?: string | undefined;
  /** A language tag such as `ja` or `en-US`. */
  readonly language?: string | undefined;
  /** Speed as a factor. */
  readonly rate?: number | undefined;
  /** Up or down, in semitones. */
  readonly pitchSemitones?: number | undefined;
  /** Loudness as a linear factor. */
  readonly volume?: number | undefined;
  /** Speaks what the engine cannot; `none` takes away the one there is by default. */
  readonly fallback?: EngineChoice | FallbackVoice | undefined;
}

/** Who speaks what the engine cannot. */
export interface FallbackVoice {
  readonly engine: EngineChoice;
  readonly engineOptions?: object | undefined;
  readonly voice?: string | undefined;
}

/** What is kept of one engine of the table, whoever asks for it. */
export interface EngineSettings {
  /** Its own options. */
  readonly options?: object | undefined;
  readonly voice?: string | undefined;
  readonly language?: string | undefined;
}

/** How text is spoken unless a request says otherwise. */
export interface VoiceDefaults {
  readonly choice?: VoiceChoice | undefined;
  /** By the engines' names. */
  readonly engines?: Readonly<Record<string, EngineSettings>> | undefined;
}

/** The engine when none is named. */
export const DEFAULT_ENGINE = 'auto';

/** Engines kept at once; beyond it the one that was made first is closed. */
const MAX_ENGINES = 32;

/** The engines of a bridge: made when they are first named, shared by all agents, closed with the bridge. */
export class EnginePool {
  readonly #host: {
    readonly environment: Readonly<Record<string, string | undefined>>;
    readonly clock: Clock;
  };
  readonly #defaults: VoiceDefaults;
  readonly #engines = new Map<string, TtsEngine>();

  /** @param host.environment where keys come from */
  constructor(
    host: { environment: Readonly<Record<string, string | undefined>>; clock: Clock },
    defaults: VoiceDefaults = {},
  ) {
    this.#host = host;
    this.#defaults = defaults;
  }

  /** What a named engine is used with unless a request brings options of its own. */
  configuredOptions(engine: string): object | undefined {
    const { choice = {}, engines = {} } = this.#defaults;
    const own = Object.hasOwn(engines, engine) ? engines[engine]?.options : undefined;
    const isDefault = (choice.engine ?? DEFAULT_ENGINE) === engine;
    return isDefault && choice.engineOptions ? { ...own, ...choice.engineOptions } : own;
  }

  /**
   * A choice with what was left out filled in. The default voice and language belong to the default engine: another
   * engine would not know them. Options that a request brings stand alone, so that no key goes along to an address that
   * a request names.
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
  choose(given: VoiceChoice): { engine: TtsEngine; speech: VoiceOptions; fallback: Speaker | undefined } {
    const choice = this.settle(given);
    const { rate, pitchSemitones, volume } = choice;
    return {
      engine: this.engine(choice.engine, choice.engineOptions),
      speech: voiceOptions(choice),
      fallback: this.#fallback(choice, { rate, pitchSemitones, volume, language: given.language }),
    };
  }

  /** The voices of an engine. @throws as `engine`, or the ENGINE_ codes when it cannot be asked */
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

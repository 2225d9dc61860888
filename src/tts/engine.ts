import type { SoundLabel } from '../audio/content-type.js';
import type { RawFormat } from '../audio/decode/raw.js';
import type { Clock } from '../base/clock.js';

/** Voice settings. Each engine maps them to its own scales and ignores what it cannot do. */
export interface VoiceOptions {
  /**
   * Name of the voice in the engine's own terms, see `voices()`; default: the engine's first or usual voice.
   */
  readonly voice?: string | undefined;
  /** Language tag (BCP 47) such as `ja` or `en-US`, for engines that need one beside the voice. */
  readonly language?: string | undefined;
  /** Speed as a factor: 1 is the voice's own, 2 twice as fast. */
  readonly rate?: number | undefined;
  /** Pitch shift, in semitones. */
  readonly pitchSemitones?: number | undefined;
  /** Loudness as a linear factor: 1 is the voice's own. */
  readonly volume?: number | undefined;
}

/** A phoneme and its length, for lip movement. */
export interface PhonemeTiming {
  /** Name known to the avatar (protocol.md §7), or mapped to one by `lips.ts`. */
  readonly phoneme: string;
  readonly durationMs: number;
  /** True when a mora or a syllable ends here, so that a line may be cut. */
  readonly last: boolean;
}

/** A word or a character of the text and its time, in milliseconds from the utterance's start. */
export interface TextSpan {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Part of an engine's output for an utterance. `format` comes before any audio that may be samples without a
 * header: `raw` is their format, unless their label says more. The first bytes decide, so audio with a header
 * is accepted too. `phonemes` comes at most once and before any audio; `spans` come in order of time, at any
 * moment.
 */
export type SynthesisPart =
  | { readonly kind: 'format'; readonly format: RawFormat; readonly label?: SoundLabel | undefined }
  /** Name of the engine that speaks this utterance, from an engine that chooses among others; comes first. */
  | { readonly kind: 'engine'; readonly name: string }
  | { readonly kind: 'phonemes'; readonly phonemes: readonly PhonemeTiming[] }
  | { readonly kind: 'spans'; readonly spans: readonly TextSpan[] }
  | { readonly kind: 'audio'; readonly bytes: Uint8Array };

/** Context of a synthesis. */
export interface SynthesisContext {
  /** Aborted when the rest is not needed: the engine ends its request at once. */
  readonly signal: AbortSignal;
  /** Reports a fault that does not end the utterance, as a whole sentence. */
  warn(message: string): void;
}

/** A voice of an engine. */
export interface Voice {
  /** Value for `voice`. */
  readonly id: string;
  /** Name for people. */
  readonly name: string;
  readonly language?: string | undefined;
}

/** Capabilities of an engine. */
export interface EngineCapabilities {
  /** True when its sound comes while it still synthesises; other engines send the whole utterance at once. */
  readonly streams: boolean;
  /**
   * Number of utterances requested at the same time. More than 1 only where they do not slow each other down;
   * on the user's own machine they would, and the first sound would come later.
   */
  readonly parallel: number;
  /** True when the avatar itself speaks, so there is no sound to synthesise. */
  readonly performs?: boolean | undefined;
  /** Kind of timing it reports. */
  readonly timing: 'phonemes' | 'spans' | 'none';
  /** True when it applies `volume` itself; for others the sound is scaled afterwards. */
  readonly volume: boolean;
  /** Settings it cannot apply: ignored, with a warning. */
  readonly lacks?: readonly ('rate' | 'pitchSemitones')[] | undefined;
  /** Maximum length of a text, in characters (code points). */
  readonly maxChars?: number | undefined;
  /** Maximum length of a text, in bytes of UTF-8. */
  readonly maxBytes?: number | undefined;
}

/** Text-to-speech engine. */
export interface TtsEngine {
  /** Name in messages. */
  readonly name: string;
  readonly capabilities: EngineCapabilities;
  /** Starts slow preparations, so that the first utterance does not wait for them. Safe to call again. */
  prepare?(): void;
  /**
   * Checks a whole text before any sound is made, and refuses one that the engine cannot speak.
   * @throws BridgeError LANGUAGE_UNSUPPORTED or ENGINE_MISSING
   */
  check?(text: string, options: VoiceOptions): Promise<void>;
  /**
   * Speaks one utterance. Ending the iteration early ends the request.
   * @param text one utterance with something to say, no longer than `maxChars`
   * @throws BridgeError of the ENGINE_ codes, VOICE_UNKNOWN, or the signal's reason
   */
  synthesise(text: string, options: VoiceOptions, context: SynthesisContext): AsyncIterable<SynthesisPart>;
  /**
   * Lists the available voices.
   * @throws BridgeError of the ENGINE_ codes
   */
  voices(signal: AbortSignal): Promise<Voice[]>;
  /** Frees resources that outlive an utterance: workers, sockets. The engine is not used afterwards. */
  close(): Promise<void>;
}

/** Environment in which an engine is created. */
export interface EngineHost {
  /** Variables by name, the source of keys: `process.env` for the service. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Addresses of Japanese engines, in place of their usual ones on this machine. */
  readonly japaneseServers?:
    { readonly [Name in 'voicevox' | 'aivisspeech' | 'coeiroink']?: string | undefined } | undefined;
}

/**
 * A user's own engine: returns the bytes of a sound in any recognisable format (WAV, MP3, FLAC, Ogg).
 * @param signal aborted when the rest is not needed
 */
export type SpeechFunction = (text: string, signal: AbortSignal) => AsyncIterable<Uint8Array>;

/** Makes an engine of a user's function. */
export function functionEngine(speak: SpeechFunction, name = 'own engine'): TtsEngine {
  return {
    name,
    capabilities: {
      ...({ streams: true, parallel: 2, timing: 'none', volume: false } as const),
      lacks: ['rate', 'pitchSemitones'],
    },
    async *synthesise(text, _options, { signal }) {
      for await (const bytes of speak(text, signal)) yield { kind: 'audio', bytes };
    },
    voices: async () => [],
    close: async () => undefined,
  };
}

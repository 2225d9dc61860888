import type { SoundLabel } from '../audio/content-type.js';
import type { RawFormat } from '../audio/decode/raw.js';
import type { Clock } from '../base/clock.js';

/** How a text is to sound; each engine maps it to its own scales and leaves out what it has no word for. */
export interface VoiceOptions {
  /** As the engine names it, see its `voices()`; the engine's first or usual voice when left out. */
  readonly voice?: string | undefined;
  /** A language tag (BCP 47) such as `ja` or `en-US`, for engines that want one beside the voice. */
  readonly language?: string | undefined;
  /** Speed as a factor: 1 is the voice's own, 2 twice as fast. */
  readonly rate?: number | undefined;
  /** Up or down, in semitones. */
  readonly pitchSemitones?: number | undefined;
  /** Loudness as a linear factor: 1 is the voice's own. */
  readonly volume?: number | undefined;
}

/** A phoneme and how long it lasts: what lips are moved by. */
export interface PhonemeTiming {
  /** A name that the avatar knows (protocol.md §7), or one that `lips.ts` maps to one. */
  readonly phoneme: string;
  readonly durationMs: number;
  /** True when a mora or a syllable ends here, so that a line may be cut. */
  readonly last: boolean;
}

/** A word or a character of the text and when it is heard, in milliseconds from the utterance's start. */
export interface TextSpan {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * What an engine gives of an utterance. `format` comes before any audio where that may be samples without a head: `raw` is
 * what they are then, unless their label says more. The first bytes decide, so a sound with a head may come all the same.
 * `phonemes` comes at most once and before any audio; `spans` come in order of time, at any moment.
 */
export type SynthesisPart =
  | { readonly kind: 'format'; readonly format: RawFormat; readonly label?: SoundLabel | undefined }
  /** By an engine that chooses among others: the one that speaks this utterance, before anything else. */
  | { readonly kind: 'engine'; readonly name: string }
  | { readonly kind: 'phonemes'; readonly phonemes: readonly PhonemeTiming[] }
  | { readonly kind: 'spans'; readonly spans: readonly TextSpan[] }
  | { readonly kind: 'audio'; readonly bytes: Uint8Array };

/** What travels beside a synthesis. */
export interface SynthesisContext {
  /** Aborted when nobody wants the rest: the engine ends its request at once. */
  readonly signal: AbortSignal;
  /** A fault that does not end the utterance, as a whole sentence. */
  warn(message: string): void;
}

/** A voice that an engine offers. */
export interface Voice {
  /** What goes into `voice`. */
  readonly id: string;
  /** How people call it. */
  readonly name: string;
  readonly language?: string | undefined;
}

/** What can be expected of an engine. */
export interface EngineCapabilities {
  /** Its sound comes while it still synthesises; others answer with the whole utterance at once. */
  readonly streams: boolean;
  /**
   * How many utterances it is asked for side by side. More than 1 only where they do not slow each other down, as on a machine
   * of one's own they would: the first sound would come later.
   */
  readonly parallel: number;
  /** The avatar itself speaks: there is no sound to synthesise. */
  readonly performs?: boolean | undefined;
  /** What it tells of time. */
  readonly timing: 'phonemes' | 'spans' | 'none';
  /** It sets `volume` itself; for others the sound is scaled afterwards. */
  readonly volume: boolean;
  /** What it has no scale for: left out, and warned of. */
  readonly lacks?: readonly ('rate' | 'pitchSemitones')[] | undefined;
  /** The longest text it takes, in characters (code points). */
  readonly maxChars?: number | undefined;
  /** The longest text it takes, in bytes of UTF-8. */
  readonly maxBytes?: number | undefined;
}

/** A way from text to sound. */
export interface TtsEngine {
  /** How messages name it. */
  readonly name: string;
  readonly capabilities: EngineCapabilities;
  /** Starts what takes long, so that the first utterance does not wait for it. Safe to call again. */
  prepare?(): void;
  /**
   * Refuses a whole text that it cannot speak, before any sound is made.
   * @throws BridgeError LANGUAGE_UNSUPPORTED or ENGINE_MISSING
   */
  check?(text: string, options: VoiceOptions): Promise<void>;
  /**
   * Speaks one utterance. Ending the iteration early ends the request.
   * @param text one utterance with something to say in it, not longer than `maxChars`
   * @throws BridgeError of the ENGINE_ codes, VOICE_UNKNOWN, or the signal's reason
   */
  synthesise(text: string, options: VoiceOptions, context: SynthesisContext): AsyncIterable<SynthesisPart>;
  /**
   * The voices there are.
   * @throws BridgeError of the ENGINE_ codes
   */
  voices(signal: AbortSignal): Promise<Voice[]>;
  /** Frees what outlives an utterance: workers, sockets. The engine is not used afterwards. */
  close(): Promise<void>;
}

/** What an engine is made with, beside its options. */
export interface EngineHost {
  /** Where keys come from, by name: `process.env` for the service. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Addresses of Japanese engines in place of their usual ones on this machine. */
  readonly japaneseServers?:
    { readonly [Name in 'voicevox' | 'aivisspeech' | 'coeiroink']?: string | undefined } | undefined;
}

/**
 * A user's own engine: the bytes of a sound of any format that can be recognised (WAV, MP3, FLAC, Ogg).
 * @param signal aborted when nobody wants the rest
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

import type { Sound } from '../audio/pcm.js';
import type { Speech, SpeechOptions } from '../speech/speech.js';
import type { Dictionary } from '../tts/dictionary.js';
import type { VoiceChoice } from '../tts/engine-pool.js';
import type { TextPiece } from '../tts/script.js';
import type { Tag, TagTable, UnknownTags } from '../tts/tags.js';
import type { SkipKind } from '../tts/text-cleaner.js';

/** Style of captions; the avatar shows them (its CAPTION messages). */
export interface CaptionOptions {
  /** Letter size; default 3. */
  readonly size?: number | undefined;
  /** Vertical position, from 0 (bottom) to 1 (top); default 0.1. */
  readonly height?: number | undefined;
  readonly align?: 'CENTER' | 'LEFT' | 'RIGHT' | undefined;
}

/** Options of a spoken text; defaults come from the bridge's own settings. */
export interface SayOptions extends Omit<SpeechOptions, 'lips' | 'sendIfCut' | 'gate'>, VoiceChoice {
  /**
   * Source of the lip movements: `engine` uses the phonemes and times of the engine; `avatar` uses the sound; `auto`
   * (default) uses the engine where it can; `none` keeps them shut.
   */
  readonly lips?: 'auto' | 'engine' | 'avatar' | 'none' | undefined;
  /** Actions of `[word]` tags in the text. */
  readonly tags?: TagTable | undefined;
  /** Handling of a tag that the table lacks; `drop` by default. */
  readonly unknownTags?: UnknownTags | undefined;
  /** Kinds of parts that are not spoken; all kinds by default. They count as skipped. */
  readonly skip?: readonly SkipKind[] | undefined;
  /** Replacements before synthesis. */
  readonly dictionary?: Dictionary | undefined;
  /** Shows each sentence as a caption while it is spoken. */
  readonly captions?: boolean | CaptionOptions | undefined;
  /** Called with each tag and its time in ms of the sound, before it is heard. */
  readonly onTag?: ((tag: Tag, atMs: number) => void) | undefined;
  /** Name of the speech in messages and queues; by default the first words of the text. */
  readonly label?: string | undefined;
}

/** A text of any length: whole, or in pieces as a language model produces them, with tags between them. */
export type SayText = string | AsyncIterable<TextPiece>;

/** Receives lips, tags and captions of a text while it is synthesised, timed by its sound. */
export interface NarrationTarget {
  /** Start of a sentence, in ms of the sound. */
  sentence(sentence: { readonly index: number; readonly text: string; readonly startMs: number }): void;
  /** End of a sentence, in ms of the sound. */
  sentenceEnd(index: number, endMs: number): void;
  /** @throws BridgeError when the command may not be sent or the speech has ended */
  cue(atMs: number, send: string, options: { readonly always?: boolean | undefined }): void;
  warn(message: string): void;
}

/** A text prepared for one or several agents. */
export interface SpokenText {
  readonly sound: Sound;
  /** Options of its speech. */
  readonly options: SpeechOptions;
  /** Sends the text's cues to a target; call it before the sound is opened. */
  tell(target: NarrationTarget): void;
  /** Adds them to a speech of the sound, as heard. @param send sends a command to the speech's agent */
  follow(speech: Speech, send: (line: string) => Promise<void>): void;
}

/** Turns texts into sounds, for every agent of a bridge. */
export interface Narrator {
  /**
   * Makes a sound from a text. Nothing is synthesised before the sound is opened.
   * @throws BridgeError ENGINE_UNKNOWN, ENGINE_KEY_MISSING or OPTION_INVALID
   */
  prepare(text: SayText, options: SayOptions): SpokenText;
}

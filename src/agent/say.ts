import type { Sound } from '../audio/pcm.js';
import type { Speech, SpeechOptions } from '../speech/speech.js';
import type { Dictionary } from '../tts/dictionary.js';
import type { VoiceChoice } from '../tts/engine-pool.js';
import type { TextPiece } from '../tts/script.js';
import type { Tag, TagTable, UnknownTags } from '../tts/tags.js';
import type { SkipKind } from '../tts/text-cleaner.js';

/** How captions look; the avatar shows them (its CAPTION messages). */
export interface CaptionOptions {
  /** Size of the letters; default 3. */
  readonly size?: number | undefined;
  /** Vertical place, from 0 (bottom) to 1 (top); default 0.1. */
  readonly height?: number | undefined;
  readonly align?: 'CENTER' | 'LEFT' | 'RIGHT' | undefined;
}

/** How a text is spoken; what is left out comes from the bridge's own settings. */
export interface SayOptions extends Omit<SpeechOptions, 'lips' | 'sendIfCut' | 'gate'>, VoiceChoice {
  /**
   * Who moves the lips: `engine`, by the phonemes and times that the engine tells; `avatar`, from the sound; `auto`
   * (default), the engine where it can; `none` leaves them shut.
   */
  readonly lips?: 'auto' | 'engine' | 'avatar' | 'none' | undefined;
  /** What `[word]` in the text does. */
  readonly tags?: TagTable | undefined;
  /** What becomes of a tag that the table does not know; `drop` by default. */
  readonly unknownTags?: UnknownTags | undefined;
  /** Parts that are not spoken; all kinds by default. They count as skipped. */
  readonly skip?: readonly SkipKind[] | undefined;
  /** Replacements before synthesis. */
  readonly dictionary?: Dictionary | undefined;
  /** Shows each sentence while it is spoken. */
  readonly captions?: boolean | CaptionOptions | undefined;
  /** Told each tag once it is known where it is heard, in ms of the sound: before it is. */
  readonly onTag?: ((tag: Tag, atMs: number) => void) | undefined;
  /** Name of the speech in messages and queues; by default the first words of the text. */
  readonly label?: string | undefined;
}

/** A text of any length: whole, or in the pieces in which a language model gives it, with tags between them. */
export type SayText = string | AsyncIterable<TextPiece>;

/** Receives what a text tells while it is synthesised, timed by its sound: lips, tags and captions. */
export interface NarrationTarget {
  /** A sentence begins at a moment of the sound, in ms. */
  sentence(sentence: { readonly index: number; readonly text: string; readonly startMs: number }): void;
  /** A sentence ends at a moment of the sound, in ms. */
  sentenceEnd(index: number, endMs: number): void;
  /** @throws BridgeError when the command may not be sent or the speech has ended */
  cue(atMs: number, send: string, options: { readonly always?: boolean | undefined }): void;
  warn(message: string): void;
}

/** A text that is ready to be spoken, by one agent or by several. */
export interface SpokenText {
  readonly sound: Sound;
  /** Options of its speech. */
  readonly options: SpeechOptions;
  /** Sends what the text tells to a target; call it before the sound is opened. */
  tell(target: NarrationTarget): void;
  /** Adds the same to a speech of the sound, as heard. @param send sends a command to the speech's agent */
  follow(speech: Speech, send: (line: string) => Promise<void>): void;
}

/** Turns texts into sounds, for every agent of a bridge. */
export interface Narrator {
  /**
   * Makes a sound of a text. Nothing is synthesised before the sound is opened.
   * @throws BridgeError ENGINE_UNKNOWN, ENGINE_KEY_MISSING or OPTION_INVALID
   */
  prepare(text: SayText, options: SayOptions): SpokenText;
}

import type { BridgeError } from '../base/errors.js';
import type { PhonemeTiming, TextSpan } from './engine.js';
import type { Tag } from './tags.js';
import type { SkipKind } from './text-cleaner.js';

/** A segment whose sound begins. Times are milliseconds from the start of the whole sound. */
export interface SpokenSegment {
  /** Index among the segments with something to say, from 0. */
  readonly index: number;
  /** Text as written, without markup and tags: for captions. */
  readonly text: string;
  /** Text as given to the engine. */
  readonly said: string;
  readonly startMs: number;
  readonly engine: string;
  /** Length, if the engine sends whole utterances. */
  readonly durationMs: number | undefined;
  /** Phonemes; empty when the engine reports none: the avatar's own lip-sync then moves the lips. */
  readonly phonemes: readonly PhonemeTiming[];
}

/** Events of a spoken text. They come before the sound that they describe, so that it can be scheduled. */
export interface SynthesisEvents {
  segment: SpokenSegment;
  /** The whole sound of a segment has been taken; `endMs` is its end in the whole sound. */
  spoken: { readonly index: number; readonly endMs: number };
  /** Words or characters of a segment with the engine's times, from the segment's start. */
  spans: { readonly index: number; readonly startMs: number; readonly spans: readonly TextSpan[] };
  /** A tag and its time, in milliseconds of the whole sound. */
  mark: { readonly tag: Tag; readonly atMs: number };
  /** A segment that could not be spoken, which also gives a warning, or a part that is not to be spoken. */
  skipped: {
    readonly text: string;
    readonly reason: 'failed' | SkipKind;
    readonly error: BridgeError | undefined;
  };
}

/** Counts of a text so far. */
export interface SynthesisReport {
  /** Segments with something to say that were begun. */
  readonly segments: number;
  readonly spoken: number;
  /** Segments that could not be spoken, and parts that are not to be spoken ({@link SkipKind}). */
  readonly skipped: number;
  /** Segments whose end is missing: the engine broke off after their sound had begun. */
  readonly cutOff: number;
  readonly retries: number;
  /** Segments spoken by the fallback. */
  readonly fallbacks: number;
  /** Unknown tags that were not spoken. */
  readonly droppedTags: number;
}

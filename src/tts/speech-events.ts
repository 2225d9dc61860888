import type { BridgeError } from '../base/errors.js';
import type { PhonemeTiming, TextSpan } from './engine.js';
import type { Tag } from './tags.js';
import type { SkipKind } from './text-cleaner.js';

/** A segment whose sound begins. Times are milliseconds of the whole sound, from its start. */
export interface SpokenSegment {
  /** Counts the segments that have something to say, from 0. */
  readonly index: number;
  /** As it was written, without marks and tags: for captions. */
  readonly text: string;
  /** As the engine was given it. */
  readonly said: string;
  readonly startMs: number;
  readonly engine: string;
  /** Its length, when the engine answers with whole utterances. */
  readonly durationMs: number | undefined;
  /** Empty when the engine tells none: the avatar's own lip-sync moves the lips then. */
  readonly phonemes: readonly PhonemeTiming[];
}

/** What a spoken text tells as its sound is taken: before the sound that it is about, so that it can be scheduled. */
export interface SynthesisEvents {
  segment: SpokenSegment;
  /** All of a segment's sound has been taken: it ends there, in ms of the whole sound. */
  spoken: { readonly index: number; readonly endMs: number };
  /** Words or characters of a segment with their times from that segment's start, as the engine tells them. */
  spans: { readonly index: number; readonly startMs: number; readonly spans: readonly TextSpan[] };
  /** A tag and when it is heard, in milliseconds of the whole sound. */
  mark: { readonly tag: Tag; readonly atMs: number };
  /** A segment that could not be spoken, which is warned of as well, or a part that is not to be spoken. */
  skipped: {
    readonly text: string;
    readonly reason: 'failed' | SkipKind;
    readonly error: BridgeError | undefined;
  };
}

/** What became of a text so far. */
export interface SynthesisReport {
  /** Segments with something to say that were begun. */
  readonly segments: number;
  readonly spoken: number;
  /** Segments that could not be spoken, and parts that are not to be spoken ({@link SkipKind}). */
  readonly skipped: number;
  /** Segments whose end is missing: the engine broke off after their sound had begun. */
  readonly cutOff: number;
  readonly retries: number;
  /** Segments that the fallback spoke. */
  readonly fallbacks: number;
  /** Tags that the table does not know and that were not spoken. */
  readonly droppedTags: number;
}

import type { PcmBlock, Sound, SoundContext } from '../audio/pcm.js';
import { systemClock, type Clock } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import type { BridgeError } from '../base/errors.js';
import type { Dictionary } from './dictionary.js';
import type { PhonemeTiming, SpeechOptions, TextSpan, TtsEngine } from './engine.js';
import type { ScriptOptions, TextPiece } from './script.js';
import { SpeechRun } from './speech-run.js';
import type { Speaker } from './synthesis-job.js';
import type { Tag } from './tags.js';

/** A segment whose sound begins. Times are milliseconds of the whole sound, from its start. */
export interface SpokenSegment {
  /** Counts the segments that have something to say, from 0. */
  readonly index: number;
  /** As it was written, without tags: for captions. */
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
export interface SpeechEvents {
  segment: SpokenSegment;
  /** Words or characters of a segment with their times from that segment's start, as the engine tells them. */
  spans: { readonly index: number; readonly startMs: number; readonly spans: readonly TextSpan[] };
  /** A tag and when it is heard, in milliseconds of the whole sound. */
  mark: { readonly tag: Tag; readonly atMs: number };
  /** A segment that could not be spoken. It is warned of as well. */
  skipped: { readonly index: number; readonly text: string; readonly error: BridgeError };
}

/** What became of a text so far. */
export interface SynthesisReport {
  /** Segments with something to say that were begun. */
  readonly segments: number;
  readonly spoken: number;
  readonly skipped: number;
  /** Segments whose end is missing: the engine broke off after their sound had begun. */
  readonly cutOff: number;
  readonly retries: number;
  /** Segments that the fallback spoke. */
  readonly fallbacks: number;
  /** Tags that the table does not know and that were not spoken. */
  readonly droppedTags: number;
}

/** How a text is spoken. */
export interface SpeechSoundOptions extends Omit<ScriptOptions, 'signal' | 'onDropped' | 'clock'> {
  readonly engine: TtsEngine;
  readonly speech?: SpeechOptions;
  /** Speaks what the engine cannot. It has a voice of its own. */
  readonly fallback?: Speaker;
  readonly dictionary?: Dictionary;
  /** Hand the text to the engine as it is, with Markdown and emoji. */
  readonly verbatim?: boolean;
  /** How many segments are synthesised or wait beyond the one that is heard: the price of an interruption. 3 by default. */
  readonly maxAheadSegments?: number;
  /** No further segment is begun while so much sound waits, in milliseconds. 20,000 by default. */
  readonly maxAheadMs?: number;
  /** How often an engine is tried again after a fault that can pass. 1 by default. */
  readonly retries?: number;
  /** 250 by default. */
  readonly retryDelayMs?: number;
  /** So many failed segments in a row end the speech with their error. 3 by default. */
  readonly maxFailures?: number;
  readonly clock?: Clock;
  /** How messages name it. */
  readonly label?: string;
}

/** A text as a sound, which can be opened once. */
export interface SpeechSound extends Sound {
  /** Listen before it is opened. */
  readonly events: Emitter<SpeechEvents>;
  /** What became of the text so far. */
  readonly report: SynthesisReport;
}

/**
 * Makes a sound of a text, whole or while it is being written: the first segment sounds while the rest is still to come.
 * Segments are synthesised ahead within bounds, side by side where the engine answers with whole utterances, and played in
 * order. A segment that fails is tried again, then given to the fallback, then reported and skipped.
 *
 * Opening it throws TEXT_EMPTY when there is nothing to say; the engine's error when nothing could be spoken, or too many
 * segments in a row failed; the signal's reason; or what the text's iterator throws.
 */
export function speechSound(
  text: string | AsyncIterable<TextPiece>,
  options: SpeechSoundOptions,
): SpeechSound {
  // A worker or a connection starts now, while the first words are still being written.
  options.engine.prepare?.();
  const events = new Emitter<SpeechEvents>();
  const run = new SpeechRun(text, { clock: systemClock, ...options }, events);
  return {
    label: options.label ?? 'the text',
    live: false,
    events,
    get report() {
      return run.report;
    },
    open: (context: SoundContext): AsyncIterable<PcmBlock> => run.open(context),
  };
}

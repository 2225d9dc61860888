import type { PcmBlock, Sound, SoundContext } from '../audio/pcm.js';
import { systemClock } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import type { TextPiece } from './script.js';
import type { SynthesisEvents, SynthesisReport } from './speech-events.js';
import { SpeechRun, type SpeechSoundOptions } from './speech-run.js';

/** A text as a sound, which can be opened once. */
export interface SpeechSound extends Sound {
  /** Listen before it is opened. */
  readonly events: Emitter<SynthesisEvents>;
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
  const events = new Emitter<SynthesisEvents>();
  const run = new SpeechRun(text, { ...options, clock: options.clock ?? systemClock }, events);
  return {
    get label() {
      return options.label ?? 'a text';
    },
    live: false,
    heldBytes: typeof text === 'string' ? text.length * 2 : 0,
    events,
    get report() {
      return run.report;
    },
    open: (context: SoundContext): AsyncIterable<PcmBlock> => run.open(context),
  };
}

import type { PcmBlock, Sound, SoundContext } from '../audio/pcm.js';
import { systemClock } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import type { TextPiece } from './script.js';
import type { SynthesisEvents, SynthesisReport } from './speech-events.js';
import { SpeechRun, type SpeechSoundOptions } from './speech-run.js';

/** A spoken text as a sound, which can be opened once. */
export interface SpeechSound extends Sound {
  /** Events; subscribe before opening the sound. */
  readonly events: Emitter<SynthesisEvents>;
  /** Counts of the text so far. */
  readonly report: SynthesisReport;
}

/**
 * Makes a sound of a text, whole or while it is being written: the first segment sounds while the rest is
 * still to come. Segments are synthesised ahead within limits, in parallel where the engine sends whole
 * utterances, and played in order. A failed segment is retried, then given to the fallback, then reported and
 * skipped.
 *
 * Opening it throws TEXT_EMPTY when there is nothing to say; the engine's error when nothing could be spoken,
 * or too many consecutive segments failed; the signal's reason; or the error of the text's iterator.
 */
export function speechSound(
  text: string | AsyncIterable<TextPiece>,
  options: SpeechSoundOptions,
): SpeechSound {
  // Starts a worker or a connection now, while the first words are still being written.
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

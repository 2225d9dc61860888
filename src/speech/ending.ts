import { BridgeError } from '../base/errors.js';
import { samplesToMs } from '../base/units.js';
import type { ActiveSpeech } from './active-speech.js';
import type { SpeechEnd, SpeechEndKind } from './speech.js';

/** How a run ends: its kind, why unless it completed, and how much of it was heard, in ms. */
export interface Ending {
  readonly how: SpeechEndKind;
  readonly error: BridgeError | undefined;
  readonly heardMs: number;
}

/** What is known of `run` at its end. */
export function speechEnd(run: ActiveSpeech, { how, error, heardMs }: Ending): SpeechEnd {
  const { feed, gaps, cuesSent, cuesDropped } = run;
  return {
    how,
    heardMs,
    durationMs: feed.durationMs,
    gaps,
    droppedMs: samplesToMs(feed.droppedSamples),
    latency: feed.latency?.total,
    cuesSent,
    cuesDropped,
    error,
  };
}

/** It was stopped, or interrupted. */
export function stoppedError(run: ActiveSpeech): BridgeError {
  return new BridgeError('SPEECH_STOPPED', `The speech of ${run.speech.label} was stopped.`);
}

/** Its sound came to its end without a sample. */
export function emptyError(run: ActiveSpeech): BridgeError {
  return new BridgeError('SOUND_EMPTY', `${run.speech.label} holds no sound.`);
}

/** The agent has hung and may never let go of its connection. @param afterMs how long it had read nothing, in ms */
export function givenUpError(run: ActiveSpeech, afterMs: number): BridgeError {
  const seconds = Math.round(afterMs / 1000);
  return new BridgeError(
    'AGENT_STALLED',
    `The agent has read nothing for ${seconds} s; the speech of ${run.speech.label} was given up.`,
  );
}

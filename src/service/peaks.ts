import { PeakMeter, type PeakStretch } from '../audio/peaks.js';
import type { Speech } from '../speech/speech.js';
import { eventTime, type AgentEventJson } from './events.js';

/** Peaks in one event: 80 ms of sound, less than an avatar usually holds, so that they arrive before they are heard. */
const STRETCH_PEAKS = 4;

/** Calls `tell` with the outline of a speech while it is sent, about twelve times a second. @returns ends it */
export function followPeaks(
  agent: string,
  speech: Speech,
  tell: (event: AgentEventJson) => void,
): () => void {
  const meter = new PeakMeter(STRETCH_PEAKS);
  const pass = (stretch: PeakStretch | undefined): void => {
    if (!stretch) return;
    const { fromMs, stepMs } = stretch;
    const peaks = [...stretch.peaks];
    tell({ type: 'peaks', time: eventTime(), agent, speech: speech.id, fromMs, stepMs, peaks });
  };
  const offs = [
    speech.on('sent', ({ atSample, samples }) => pass(meter.push(atSample, samples))),
    speech.on('state', (state) => {
      if (state === 'draining' || state === 'paused') pass(meter.flush());
    }),
  ];
  return () => offs.forEach((off) => off());
}

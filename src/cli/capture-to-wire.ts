import { LatencyMeter, type LatencyFigures } from '../audio/latency.js';
import { Timeline } from '../audio/timeline.js';
import { systemClock } from '../base/clock.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import type { SpeechEventJson } from '../service/events.js';
import { latencyJson, type LatencyJson } from '../service/schemas.js';

/**
 * From the capture to the wire, across the service: a frame's age when the news that it has left arrives here. So it
 * holds everything, and the way of the news as well, which is well under a millisecond within a machine.
 */
export class CaptureToWire {
  readonly #captured = new Timeline();
  readonly #meter = new LatencyMeter();
  #sentSamples = 0;

  /** So many samples go out, of which the last was captured at that moment. */
  goesOut(samples: number, capturedToMs: number): void {
    this.#captured.add(this.#sentSamples, capturedToMs - samplesToMs(samples));
    this.#sentSamples += samples;
  }

  /** A frame has left, which begins so far into what went out, in ms. */
  left(atMs: number): void {
    const capturedMs = this.#captured.msOf(msToSamples(atMs));
    if (capturedMs !== undefined) this.#meter.add(systemClock.nowMs() - capturedMs);
  }

  /** Of the last five seconds. */
  get recent(): LatencyFigures | undefined {
    return this.#meter.recent;
  }

  /** The event with the whole latency in the place of the service's own share of it. */
  toldIn<Event extends SpeechEventJson>(event: Event): Event {
    if (event.type !== 'position' && event.type !== 'ended') return event;
    const figures = event.type === 'ended' ? this.#meter.total : this.#meter.recent;
    const latency: LatencyJson | null = figures
      ? latencyJson({ from: 'capture', ...figures })
      : event.latency;
    return { ...event, latency };
  }
}

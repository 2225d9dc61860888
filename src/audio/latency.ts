import { samplesToMs } from '../base/units.js';

/** Resolution of the median, in ms. */
const BIN_MS = 0.5;
/**
 * Number of bins, up to 2 s; larger values count with their true maximum, but the median does not exceed
 * this.
 */
const BINS = 4000;
/** Number of frames of the recent figures: about five seconds. */
const RECENT = 128;

/** Age of a live sound's frames when they were sent, in ms. */
export interface LatencyFigures {
  readonly p50Ms: number;
  readonly maxMs: number;
}

/**
 * Latency of a live sound, measured at each frame: the age of the frame's oldest sample when the frame is
 * written to the avatar's connection. It includes the recorder's period, queues, the filters of the
 * conversion (4 ms) and of the clock correction (4 ms), and the wait until the frame was full and due. It
 * excludes the delay in the sound server before the recorder, the avatar's lead, and the avatar's own 37 to
 * 58 ms (protocol.md §4).
 */
export interface LiveLatency extends LatencyFigures {
  /**
   * Start of the measurement: `capture`, the recording time where the source reports it; `arrival` at the
   * bridge otherwise.
   */
  readonly from: 'capture' | 'arrival';
}

/** Collects ages in constant memory. */
export class LatencyMeter {
  readonly #bins = new Uint32Array(BINS);
  readonly #recent: number[] = [];
  #frames = 0;
  #maxMs = 0;

  /** Records a sent frame whose oldest sample was `ageMs` old. */
  add(ageMs: number): void {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor(ageMs / BIN_MS)));
    this.#bins[bin] = this.#bins[bin]! + 1;
    this.#recent[this.#frames % RECENT] = ageMs;
    this.#frames += 1;
    this.#maxMs = Math.max(this.#maxMs, ageMs);
  }

  /** Figures of all frames; undefined before the first. */
  get total(): LatencyFigures | undefined {
    if (this.#frames === 0) return undefined;
    const half = Math.ceil(this.#frames / 2);
    let seen = 0;
    let bin = 0;
    while ((seen += this.#bins[bin]!) < half) bin += 1;
    return { p50Ms: Math.min((bin + 0.5) * BIN_MS, this.#maxMs), maxMs: this.#maxMs };
  }

  /** Figures of the last frames, about five seconds; undefined before the first. */
  get recent(): LatencyFigures | undefined {
    if (this.#frames === 0) return undefined;
    const sorted = this.#recent.toSorted((a, b) => a - b);
    return {
      p50Ms: sorted[Math.floor((sorted.length - 1) / 2)]!,
      maxMs: sorted.at(-1)!,
    };
  }
}

interface Stretch {
  readonly fromSample: number;
  readonly fromMs: number;
}

/**
 * Maps the samples of a 16 kHz stream to milliseconds, in stretches in which time runs with the samples.
 * Queries must move forward; passed stretches are discarded.
 */
export class Timeline {
  #stretches: Stretch[] = [];

  /**
   * States that the stream is at `ms` from this sample on, which must come after all samples added before.
   */
  add(fromSample: number, ms: number): void {
    this.#stretches.push({ fromSample, fromMs: ms });
  }

  /** @returns the ms of a sample; undefined when unknown */
  msOf(sample: number): number | undefined {
    while (this.#stretches.length > 1 && this.#stretches[1]!.fromSample <= sample) this.#stretches.shift();
    const stretch = this.#stretches[0];
    return stretch && stretch.fromMs + samplesToMs(sample - stretch.fromSample);
  }
}

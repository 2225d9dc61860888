import { samplesToMs } from '../base/units.js';

/** The median is told to this, in ms. */
const BIN_MS = 0.5;
/** Up to 2 s; what took longer counts, with its true maximum, but the median says no more than this. */
const BINS = 4000;
/** About five seconds of frames: what "now" means to whoever watches. */
const RECENT = 128;

/** How old frames of a live sound were when they left, in ms. */
export interface LatencyFigures {
  readonly p50Ms: number;
  readonly maxMs: number;
}

/**
 * The latency of a live sound, which is measured at each frame: the age of the frame's oldest sample at the moment at
 * which the frame is written to the avatar's connection. That is the recorder's period, what waits in queues, the
 * filters of the conversion (4 ms) and of the clock's correction (4 ms), and the time until the frame was full and due.
 * It does not hold what the sound server keeps back itself before a recorder gets it, nor the avatar's lead and its own
 * 37 to 58 ms (protocol.md §4).
 */
export interface LiveLatency extends LatencyFigures {
  /** From what on: `capture`, where the source tells when it recorded; `arrival`, when its sound came to the bridge. */
  readonly from: 'capture' | 'arrival';
}

/** Gathers ages; the memory it takes does not grow. */
export class LatencyMeter {
  readonly #bins = new Uint32Array(BINS);
  readonly #recent: number[] = [];
  #frames = 0;
  #maxMs = 0;

  /** A frame left whose oldest sample was `ageMs` old. */
  add(ageMs: number): void {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor(ageMs / BIN_MS)));
    this.#bins[bin] = this.#bins[bin]! + 1;
    this.#recent[this.#frames % RECENT] = ageMs;
    this.#frames += 1;
    this.#maxMs = Math.max(this.#maxMs, ageMs);
  }

  /** Of all frames; undefined before the first. */
  get total(): LatencyFigures | undefined {
    if (this.#frames === 0) return undefined;
    const half = Math.ceil(this.#frames / 2);
    let seen = 0;
    let bin = 0;
    while ((seen += this.#bins[bin]!) < half) bin += 1;
    return { p50Ms: Math.min((bin + 0.5) * BIN_MS, this.#maxMs), maxMs: this.#maxMs };
  }

  /** Of the last frames, about five seconds of them; undefined before the first. */
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
 * Where each sample of a 16 kHz stream lies on a scale of milliseconds: in stretches, within which time passes as the
 * samples do. What has been asked for moves forward, so what lies behind it is forgotten.
 */
export class Timeline {
  #stretches: Stretch[] = [];

  /** From this sample on, which lies behind all before, the stream is at `ms`. */
  add(fromSample: number, ms: number): void {
    this.#stretches.push({ fromSample, fromMs: ms });
  }

  /** @returns the ms of a sample; undefined when nothing is known of it */
  msOf(sample: number): number | undefined {
    while (this.#stretches.length > 1 && this.#stretches[1]!.fromSample <= sample) this.#stretches.shift();
    const stretch = this.#stretches[0];
    return stretch && stretch.fromMs + samplesToMs(sample - stretch.fromSample);
  }
}

import { LatencyMeter, type LatencyFigures, type LiveLatency } from '../audio/latency.js';
import { blockMs, type PcmBlock } from '../audio/pcm.js';
import { Timeline } from '../audio/timeline.js';
import { samplesToMs } from '../base/units.js';

/** A frame of a live sound that leaves. */
export interface LiveFrame {
  /** Where in the sound, as it came from its source, the frame begins, in ms; what was dropped counts. */
  readonly atMs: number;
  /** How old its oldest sample is; see `LiveLatency`. */
  readonly ageMs: number;
}

/** What has gone into a stage and has yet to come out of it, and when: the ends of a piece of sound on its way. */
export interface PieceOnItsWay {
  readonly block: PcmBlock;
  /** Samples at 16 kHz that came out of the conversion for it. */
  readonly converted: number;
  /** What stays behind in filters, in ms. */
  readonly converterMs: number;
  readonly driftMs: number;
  /** Samples that came out at the end, and all that had come out before them. */
  readonly made: number;
  readonly madeBefore: number;
}

/** Follows the sound of a live feed from its capture to the wire. Pure; the time is an argument. */
export class FeedLatency {
  readonly #captured = new Timeline();
  readonly #source = new Timeline();
  readonly #meter = new LatencyMeter();
  #from: LiveLatency['from'] = 'arrival';
  #convertedSamples = 0;

  /** A piece has come through. Where its source does not say so, its end counts as captured when it came. */
  piece({ block, converted, converterMs, driftMs, made, madeBefore }: PieceOnItsWay, nowMs: number): void {
    this.#convertedSamples += converted;
    if (made === 0) return;
    if (block.capturedAtMs !== undefined) this.#from = 'capture';
    const endMs = block.capturedAtMs === undefined ? nowMs : block.capturedAtMs + blockMs(block);
    this.#captured.add(madeBefore, endMs - converterMs - driftMs - samplesToMs(made));
    this.#source.add(madeBefore, samplesToMs(this.#convertedSamples - made) - driftMs);
  }

  /** So many samples came out of the conversion without new sound. */
  convertedMore(samples: number): void {
    this.#convertedSamples += samples;
  }

  /** A frame leaves that begins with the sample of this number. */
  leaves(sample: number, nowMs: number): LiveFrame | undefined {
    const capturedMs = this.#captured.msOf(sample);
    const atMs = this.#source.msOf(sample);
    if (capturedMs === undefined || atMs === undefined) return undefined;
    const ageMs = Math.max(0, nowMs - capturedMs);
    this.#meter.add(ageMs);
    return { atMs: Math.max(0, atMs), ageMs };
  }

  /** Of the last five seconds; undefined before the first frame. */
  get recent(): LiveLatency | undefined {
    return this.#told(this.#meter.recent);
  }

  /** Since the start; undefined before the first frame. */
  get total(): LiveLatency | undefined {
    return this.#told(this.#meter.total);
  }

  #told(figures: LatencyFigures | undefined): LiveLatency | undefined {
    return figures && { from: this.#from, ...figures };
  }
}

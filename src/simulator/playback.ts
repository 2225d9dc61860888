import { SAMPLE_RATE_HZ, samplesToMs } from '../base/units.js';
import { HeardRecording } from './recording.js';
import { BLOCK_SAMPLES, SegmentState, type SegmentReport } from './segments.js';

/** Reason why a received sample is never heard. */
export type DropReason = 'not-ready' | 'device-closed' | 'no-model' | 'buffer-full' | 'remainder' | 'died';

/** A silence within a segment: the buffer ran dry before more came. */
export interface Gap {
  /** Samples heard before it. */
  readonly atSample: number;
  /** Time at which it begins to be heard, in milliseconds since the upgrade. */
  readonly atMs: number;
  readonly lengthMs: number;
}

/** Playback options; the defaults are those of the measured avatar. */
export interface PlaybackOptions {
  /**
   * Time from the first whole block to the first sound, in milliseconds. Measured: 37 to 58 (protocol.md §4).
   */
  readonly startLatencyMs?: number;
  /**
   * Deviation of the sound card's clock, in parts per million; above 0 it is fast. Measured: 28 (1.7 ms a
   * minute).
   */
  readonly cardPpm?: number;
  /** Size of the buffer, in milliseconds; sound beyond it is dropped (protocol.md §4: 60 s). */
  readonly bufferMs?: number;
  /** Maximum heard sound that is kept, in milliseconds; 0 keeps nothing, which makes a simulator cheap. */
  readonly maxRecordMs?: number;
}

/**
 * Time until the sound card takes a block that came into an idle avatar, in ms: the first part of the start
 * latency.
 */
const FIRST_TAKE_MS = 15;

/** Maximum number of gaps kept in full; all are counted. */
const MAX_GAPS = 1_000;

/**
 * Sound card of the avatar and the buffer before it (protocol.md §4). It is calculated from timestamps,
 * without timers: every call first catches up with the given time, so a thousand playbacks cost nothing
 * between frames.
 *
 * At every moment received = heard + held + dropped. Times are milliseconds since the upgrade and must not go
 * backwards. A sample counts as heard once the card has taken it.
 */
export class Playback {
  readonly recording: HeardRecording;
  readonly #segments = new SegmentState();
  readonly #outputLatencyMs: number;
  readonly #firstTakeMs: number;
  readonly #blockMs: number;
  readonly #bufferSamples: number;

  #receivedSamples = 0;
  #heardSamples = 0;
  #heldSamples = 0;
  #maxHeldSamples = 0;
  readonly #dropped: Record<DropReason, number> = {
    'not-ready': 0,
    'device-closed': 0,
    'no-model': 0,
    'buffer-full': 0,
    remainder: 0,
    died: 0,
  };

  /** True while the card finds whole blocks. */
  #playing = false;
  /**
   * Time of the card's next request, which fixes the grid of its blocks. Meaningless before the first sound.
   */
  #nextTakeMs = Number.NEGATIVE_INFINITY;
  /** True when SNDBRKS came while blocks were left: the remainder after the last block will be lost. */
  #flushWhenDry = false;
  #firstSoundMs: number | undefined;
  #lastSoundMs: number | undefined;
  readonly #gaps: Gap[] = [];
  #gapCount = 0;
  #gapMs = 0;
  #dead = false;

  constructor(options: PlaybackOptions = {}) {
    const startLatencyMs = options.startLatencyMs ?? 45;
    this.#firstTakeMs = Math.min(FIRST_TAKE_MS, startLatencyMs);
    this.#outputLatencyMs = startLatencyMs - this.#firstTakeMs;
    this.#blockMs = samplesToMs(BLOCK_SAMPLES) / (1 + (options.cardPpm ?? 0) / 1e6);
    this.#bufferSamples = Math.round(((options.bufferMs ?? 60_000) * SAMPLE_RATE_HZ) / 1000);
    this.recording = new HeardRecording(options.maxRecordMs ?? 600_000);
  }

  /** Samples received, whether heard or not. */
  get receivedSamples(): number {
    return this.#receivedSamples;
  }
  /** Samples taken by the card. */
  get heardSamples(): number {
    return this.#heardSamples;
  }
  /** Samples waiting for the card. */
  get heldSamples(): number {
    return this.#heldSamples;
  }
  /** Maximum that ever waited for the card, in milliseconds. */
  get maxHeldMs(): number {
    return samplesToMs(this.#maxHeldSamples);
  }
  /** Samples never heard, by reason. */
  get droppedSamples(): Readonly<Record<DropReason, number>> {
    return this.#dropped;
  }
  /** Time at which the first sample could be heard. */
  get firstSoundMs(): number | undefined {
    return this.#firstSoundMs;
  }
  /** Time at which the last sample so far had been heard. */
  get lastSoundMs(): number | undefined {
    return this.#lastSoundMs;
  }
  /** First gaps; `gapCount` is their total number. */
  get gaps(): readonly Gap[] {
    return this.#gaps;
  }
  get gapCount(): number {
    return this.#gapCount;
  }
  /** Total length of all gaps. */
  get gapMs(): number {
    return this.#gapMs;
  }
  /** Segments separated by SNDBRKS; the last one may still be open. */
  get segments(): readonly SegmentReport[] {
    return this.#segments.reports;
  }

  /**
   * Takes the samples of one frame.
   * @param samples 16 kHz mono; owned by the playback from now on
   * @returns the number of samples it had no room for
   */
  push(samples: Int16Array, nowMs: number): number {
    this.advance(nowMs);
    this.#receivedSamples += samples.length;
    if (this.#dead) return this.#drop('died', samples.length);
    const room = Math.min(samples.length, this.#bufferSamples - this.#heldSamples);
    const lost = this.#drop('buffer-full', samples.length - room);
    if (room === 0) return lost;
    this.#segments.add(samples.length, room, nowMs);
    this.recording.queue(room === samples.length ? samples : samples.subarray(0, room));
    this.#heldSamples += room;
    this.#maxHeldSamples = Math.max(this.#maxHeldSamples, this.#heldSamples);
    // Sound that comes before the last block was played joins the remainder of the previous segment
    // (protocol.md §4).
    this.#flushWhenDry = false;
    if (!this.#playing && this.#heldSamples >= BLOCK_SAMPLES) this.#start(nowMs);
    return lost;
  }

  /** Counts received samples that are dropped for an outside reason: not ready, no model. */
  refuse(samples: number, reason: 'not-ready' | 'device-closed' | 'no-model', nowMs: number): void {
    this.advance(nowMs);
    this.#receivedSamples += samples;
    this.#drop(reason, samples);
  }

  /**
   * Ends a segment (SNDBRKS). A remainder of less than a block is lost once the card has run dry.
   * @returns the samples missing to a whole number of blocks; 0 when it was padded correctly
   */
  endSegment(nowMs: number): number {
    this.advance(nowMs);
    const missing = this.#segments.close();
    if (this.#playing) this.#flushWhenDry = true;
    else this.#flush();
    return missing;
  }

  /** Catches up: everything the card has taken until `nowMs` counts as heard. */
  advance(nowMs: number): void {
    if (!this.#playing || nowMs < this.#nextTakeMs) return;
    const due = Math.floor((nowMs - this.#nextTakeMs) / this.#blockMs) + 1;
    const blocks = Math.min(due, Math.floor(this.#heldSamples / BLOCK_SAMPLES));
    if (blocks > 0) this.#take(blocks);
    if (blocks === due) return;
    this.#playing = false;
    if (this.#flushWhenDry) this.#flush();
  }

  /**
   * Returns the time from `nowMs` until all playable sound has been heard, in milliseconds; 0 when it is
   * silent.
   */
  remainingMs(nowMs: number): number {
    this.advance(nowMs);
    const blocks = this.#playing ? Math.floor(this.#heldSamples / BLOCK_SAMPLES) : 0;
    const endMs =
      blocks > 0 ? this.#nextTakeMs + blocks * this.#blockMs + this.#outputLatencyMs : this.#lastSoundMs;
    return Math.max(0, (endMs ?? nowMs) - nowMs);
  }

  /** Ends the avatar: the sound it holds is never heard. */
  die(nowMs: number): void {
    this.advance(nowMs);
    this.#dead = true;
    this.#playing = false;
    this.#drop('died', this.#heldSamples);
    this.#heldSamples = 0;
  }

  #start(nowMs: number): void {
    const dryMs = this.#nextTakeMs;
    this.#playing = true;
    if (!this.#segments.heardAnyOfCurrent) {
      this.#nextTakeMs = Math.max(nowMs + this.#firstTakeMs, dryMs);
      this.recording.startRun(this.#nextTakeMs + this.#outputLatencyMs, 'segment');
      return;
    }
    // The card has continued with silence, block by block: sound starts again at its next block.
    const silentBlocks = Math.max(0, Math.ceil((nowMs - dryMs) / this.#blockMs));
    if (silentBlocks === 0) return;
    const lengthMs = silentBlocks * this.#blockMs;
    this.#nextTakeMs = dryMs + lengthMs;
    this.#gapCount++;
    this.#gapMs += lengthMs;
    if (this.#gaps.length < MAX_GAPS)
      this.#gaps.push({ atSample: this.#heardSamples, atMs: dryMs + this.#outputLatencyMs, lengthMs });
    this.#segments.gap(lengthMs);
    this.recording.startRun(this.#nextTakeMs + this.#outputLatencyMs, 'gap');
  }

  #take(blocks: number): void {
    const samples = blocks * BLOCK_SAMPLES;
    const heardFromMs = this.#nextTakeMs + this.#outputLatencyMs;
    this.#segments.consume(samples, heardFromMs, this.#blockMs / BLOCK_SAMPLES);
    this.recording.play(samples);
    this.#heardSamples += samples;
    this.#heldSamples -= samples;
    this.#nextTakeMs += blocks * this.#blockMs;
    this.#firstSoundMs ??= heardFromMs;
    this.#lastSoundMs = this.#nextTakeMs + this.#outputLatencyMs;
  }

  /** Drops the remainder of less than a block at the end of a segment. */
  #flush(): void {
    this.#flushWhenDry = false;
    const remainder = this.#heldSamples % BLOCK_SAMPLES;
    if (remainder === 0) return;
    this.#segments.lose(remainder);
    this.recording.discard(remainder);
    this.#heldSamples -= remainder;
    this.#drop('remainder', remainder);
  }

  #drop(reason: DropReason, samples: number): number {
    this.#dropped[reason] += samples;
    return samples;
  }
}

import { SAMPLE_RATE_HZ, samplesToMs } from '../base/units.js';
import { HeardRecording } from './recording.js';
import { BLOCK_SAMPLES, SegmentState, type SegmentReport } from './segments.js';

/** Why a sample that came in is never heard. */
export type DropReason = 'not-ready' | 'device-closed' | 'no-model' | 'buffer-full' | 'remainder' | 'died';

/** A silence in the middle of a segment: the buffer had run dry and more came. */
export interface Gap {
  /** Samples heard before it. */
  readonly atSample: number;
  /** When it could be heard to begin, in milliseconds since the upgrade. */
  readonly atMs: number;
  readonly lengthMs: number;
}

/** What a playback can be told to do differently from the measured avatar. */
export interface PlaybackOptions {
  /** From the first whole block to the first sound, in milliseconds. Measured: 37 to 58 (protocol.md §4). */
  readonly startLatencyMs?: number;
  /** How much faster the card's clock runs than ours, in parts per million. Measured: 28 (1.7 ms a minute). */
  readonly cardPpm?: number;
  /** How much it holds before it drops, in milliseconds (protocol.md §4: 60 s). */
  readonly bufferMs?: number;
  /** How much of what is heard is kept, in milliseconds; 0 keeps nothing, which makes a simulator cheap. */
  readonly maxRecordMs?: number;
}

/** How long a block that came into an idle avatar waits until the card takes it: the first part of the start latency. */
const FIRST_TAKE_MS = 15;

/** Gaps that are kept whole; all are counted. */
const MAX_GAPS = 1_000;

/**
 * The avatar's sound card and the buffer before it (protocol.md §4). It is computed from timestamps, not from timers:
 * every call first catches up with the time that it is given, so a thousand playbacks cost nothing between frames.
 *
 * The sum holds at every moment: received = heard + held + all that was dropped. Times are milliseconds since the
 * upgrade and must not go backwards. A sample counts as heard once the card has taken it.
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
  /** When the card asks next; the grid of its blocks hangs on it. Meaningless before the first sound. */
  #nextTakeMs = Number.NEGATIVE_INFINITY;
  /** SNDBRKS came while blocks were left: what remains after the last one is lost. */
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

  /** Samples that came, whatever became of them. */
  get receivedSamples(): number {
    return this.#receivedSamples;
  }
  /** Samples that the card has taken. */
  get heardSamples(): number {
    return this.#heardSamples;
  }
  /** Samples that wait for the card. */
  get heldSamples(): number {
    return this.#heldSamples;
  }
  /** The most that ever waited for the card, in milliseconds. */
  get maxHeldMs(): number {
    return samplesToMs(this.#maxHeldSamples);
  }
  /** Samples that are never heard, by reason. */
  get droppedSamples(): Readonly<Record<DropReason, number>> {
    return this.#dropped;
  }
  /** When the first sample could be heard. */
  get firstSoundMs(): number | undefined {
    return this.#firstSoundMs;
  }
  /** When the last sample so far had been heard. */
  get lastSoundMs(): number | undefined {
    return this.#lastSoundMs;
  }
  /** The first of the gaps; `gapCount` tells how many there were. */
  get gaps(): readonly Gap[] {
    return this.#gaps;
  }
  get gapCount(): number {
    return this.#gapCount;
  }
  /** The length of all gaps together. */
  get gapMs(): number {
    return this.#gapMs;
  }
  /** What SNDBRKS has cut the sound into; the last may still be open. */
  get segments(): readonly SegmentReport[] {
    return this.#segments.reports;
  }

  /**
   * Takes the samples of one frame.
   * @param samples 16 kHz mono; owned by the playback from now on
   * @returns how many of them it had no room for
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
    // Sound that comes before the last block has gone joins what remains of the segment before (protocol.md §4).
    this.#flushWhenDry = false;
    if (!this.#playing && this.#heldSamples >= BLOCK_SAMPLES) this.#start(nowMs);
    return lost;
  }

  /** Counts samples that came and are dropped for a reason that lies outside: readiness, the model. */
  refuse(samples: number, reason: 'not-ready' | 'device-closed' | 'no-model', nowMs: number): void {
    this.advance(nowMs);
    this.#receivedSamples += samples;
    this.#drop(reason, samples);
  }

  /**
   * SNDBRKS: the end of a segment. Less than a block that remains is lost once the card has run dry.
   * @returns how many samples the segment is short of a whole number of blocks; 0 when it was padded well
   */
  endSegment(nowMs: number): number {
    this.advance(nowMs);
    const missing = this.#segments.close();
    if (this.#playing) this.#flushWhenDry = true;
    else this.#flush();
    return missing;
  }

  /** Catches up: what the card has taken until `nowMs` is heard. */
  advance(nowMs: number): void {
    if (!this.#playing || nowMs < this.#nextTakeMs) return;
    const due = Math.floor((nowMs - this.#nextTakeMs) / this.#blockMs) + 1;
    const blocks = Math.min(due, Math.floor(this.#heldSamples / BLOCK_SAMPLES));
    if (blocks > 0) this.#take(blocks);
    if (blocks === due) return;
    this.#playing = false;
    if (this.#flushWhenDry) this.#flush();
  }

  /** How long, from `nowMs`, until all that can be heard has been heard, in milliseconds; 0 when it is silent. */
  remainingMs(nowMs: number): number {
    this.advance(nowMs);
    const blocks = this.#playing ? Math.floor(this.#heldSamples / BLOCK_SAMPLES) : 0;
    const endMs =
      blocks > 0 ? this.#nextTakeMs + blocks * this.#blockMs + this.#outputLatencyMs : this.#lastSoundMs;
    return Math.max(0, (endMs ?? nowMs) - nowMs);
  }

  /** The avatar's end: what it held is never heard. */
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
    // The card has gone on with silence, block by block: sound comes back at its next block.
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

  /** Less than a block that was left at the end of a segment is lost. */
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

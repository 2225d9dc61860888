import type { Clock } from '../base/clock.js';
import { toBridgeError, type BridgeError } from '../base/errors.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import { createConverter, type Converter } from '../audio/convert.js';
import type { LiveLatency } from '../audio/latency.js';
import type { PcmBlock, Sound, SoundInfo } from '../audio/pcm.js';
import { SampleQueue } from '../audio/sample-queue.js';
import type { Schedule } from './schedule.js';

/** Options of a feed. */
export interface FeedOptions {
  readonly clock: Clock;
  /** Maximum converted sound held unsent, in ms. */
  readonly bufferMs: number;
  /** Called when samples came, when the sound ended and when it failed. */
  changed(): void;
  /** Called with a sentence for a fault that did not end the sound. */
  warn(message: string): void;
}

/** State of playback at one moment. */
export interface Pace {
  readonly nowMs: number;
  readonly schedule: Schedule;
  /** True while samples were sent since the last segment end. */
  readonly segmentOpen: boolean;
  /** Maximum sound the agent may hold, in ms. */
  readonly leadMs: number;
  /** True when the timer wheel caused the call, false when new samples did. */
  readonly byClock: boolean;
}

/** Held sound below which the agent is about to run dry, in ms: two slots of the timer wheel. */
const NEARLY_DRY_MS = 10;
/**
 * Minimum wait for more sound, in ms, before the available sound is sent as it is; the cushion when that is
 * longer.
 */
const MIN_QUIET_MS = 100;
/** Tolerated excess over the length in the sound's head, in ms: filters and padding. */
const DURATION_SLACK_MS = 100;
/** Maximum interval between blocks of the same piece, in ms. */
const ONE_PIECE_MS = 5;
/**
 * Time after the first piece at which it is known whether the sound arrives faster than it is played, in ms.
 */
const KNOWN_AFTER_MS = 60;
/** Excess over the lead, in ms, above which a first piece is enough to begin. */
const LONG_PIECE_MS = 250;
/** Tolerated delay of a piece of sound that arrives in real time, in ms. */
const LATE_PIECE_MS = 80;
/** Maximum wait between pieces, in ms, that counts towards the source's pace; a longer one is a pause. */
const MAX_WAIT_MS = 250;

/**
 * Measures the arrival of a pulled sound: faster than it is played, or in real time as from a microphone's
 * pipe.
 */
class Arrivals {
  #pieces = 0;
  #startMs = -Infinity;
  #lastMs = -Infinity;
  #firstPieceMs = 0;
  #soundMs = 0;
  #longestWaitMs = 0;

  /** Records that `soundMs` of sound came. */
  add(soundMs: number, nowMs: number): void {
    if (this.#pieces === 0) this.#startMs = nowMs;
    if (this.#pieces === 0 || nowMs - this.#lastMs > ONE_PIECE_MS) {
      if (this.#pieces > 0)
        this.#longestWaitMs = Math.max(this.#longestWaitMs, Math.min(nowMs - this.#lastMs, MAX_WAIT_MS));
      this.#pieces += 1;
    }
    if (this.#pieces === 1) this.#firstPieceMs += soundMs;
    this.#soundMs += soundMs;
    this.#lastMs = nowMs;
  }

  /** Time at which the pace is known even when no more sound comes. */
  get knownAtMs(): number {
    return this.#pieces === 1 ? this.#startMs + KNOWN_AFTER_MS : -Infinity;
  }

  /** Returns the sound to gather so that the agent does not run dry before the next piece, in ms. */
  cushionMs(leadMs: number, nowMs: number): number {
    if (this.#pieces <= 1) return nowMs < this.knownAtMs ? leadMs + LONG_PIECE_MS : leadMs;
    const fast = this.#soundMs - this.#firstPieceMs >= 2 * (this.#lastMs - this.#startMs);
    return fast ? leadMs : Math.max(leadMs, this.#longestWaitMs + LATE_PIECE_MS);
  }
}

/**
 * Reads one sound ahead: opens it, converts it to the agent's format and holds a bounded part of it, from
 * which the pacer takes samples when they are due. The sound is pulled, so a slow agent slows the reading.
 */
export class Feed {
  readonly live: boolean = false;
  protected readonly sound: Sound;
  protected readonly options: FeedOptions;
  protected readonly queue = new SampleQueue();
  protected converter: Converter | undefined;
  /** Monotonic ms at which sound last came. */
  protected cameMs = -Infinity;
  readonly #arrivals = new Arrivals();
  readonly #abort = new AbortController();
  /** Copy of the signal's state, which takes 50 times as long to read. */
  #cancelled = false;
  /** True once a cushion has been gathered and samples may flow. */
  #primed = false;
  #readSamples = 0;
  #ended = false;
  /** True when the sound ended by itself, without an error or a cancel. */
  #complete = false;
  #error: BridgeError | undefined;
  #info: SoundInfo | undefined;
  #roomWanted: (() => void) | undefined;
  #reading: Promise<void> | undefined;

  constructor(sound: Sound, options: FeedOptions) {
    this.sound = sound;
    this.options = options;
  }

  /** True for a sound with pauses of its own, such as a gated one: its pauses are not gaps. */
  get pauses(): boolean {
    return false;
  }

  /** Samples ready to be taken. */
  get bufferedSamples(): number {
    return this.queue.samples;
  }

  /** True once nothing more will come, by the end or an error; samples may still be buffered. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True when the last sample has been taken and nothing more will come. */
  get exhausted(): boolean {
    return this.#ended && this.queue.samples === 0;
  }

  /** Error that ended the sound, if any. */
  get error(): BridgeError | undefined {
    return this.#error;
  }

  /** Description from the sound's head. */
  get info(): SoundInfo | undefined {
    return this.#info;
  }

  /** Samples that came out of the sound so far, dropped ones included. */
  get readSamples(): number {
    return this.#readSamples;
  }

  /** Samples of a live sound dropped because they were not taken in time. */
  get droppedSamples(): number {
    return 0;
  }

  /**
   * Latency of live sound over the last five seconds; undefined for other sound and before the first frame.
   */
  get recentLatency(): LiveLatency | undefined {
    return undefined;
  }

  /** Latency of live sound since its start. */
  get totalLatency(): LiveLatency | undefined {
    return undefined;
  }

  /**
   * Whole length in ms: the length received once it has ended, otherwise the length in its head. Undefined
   * once the sound is longer than its head says.
   */
  get durationMs(): number | undefined {
    const cameMs = samplesToMs(this.#readSamples);
    if (this.#complete) return cameMs;
    const saidMs = this.#info?.durationMs;
    return saidMs === undefined || saidMs + DURATION_SLACK_MS < cameMs ? undefined : saidMs;
  }

  /** Opens the sound and begins to read ahead; a second call does nothing. */
  start(): void {
    this.#reading ??= this.#read();
  }

  /**
   * Returns the samples of the next frame. At the start, and after the agent ran dry, it gathers a cushion
   * first: one silence is better than several in a row.
   * @param frameSamples length of a whole frame
   * @returns undefined while there are not enough samples
   */
  next(frameSamples: number, pace: Pace): Int16Array | undefined {
    const { nowMs, schedule, byClock } = pace;
    if (!this.#primed || this.#ranDry(frameSamples, pace)) {
      this.#primed = this.#ended || samplesToMs(this.queue.samples) >= this.cushionMs(pace);
      if (!this.#primed) {
        if (this.queue.samples === 0 || nowMs < this.#quietAtMs(pace)) return undefined;
        // A sound shorter than the cushion must not wait for more.
        this.settle();
        this.#primed = true;
        return this.take(frameSamples);
      }
    }
    if (this.queue.samples >= frameSamples || this.#ended) return this.take(frameSamples);
    // Less than a frame is available. It is sent before the agent runs dry, because the end of a syllable
    // must not wait for the next burst. Only on the timer wheel's call, so that a source of single samples
    // does not send them as frames.
    if (!byClock || !schedule.running) return undefined;
    return nowMs >= this.nearlyDryAtMs(schedule) ? this.take(frameSamples) : undefined;
  }

  /**
   * Time at which `next` may have samples even when no more came, in monotonic ms.
   * @returns undefined when only more sound helps
   */
  dueMs(pace: Pace): number | undefined {
    if (this.queue.samples === 0) return undefined;
    if (this.#primed) return this.nearlyDryAtMs(pace.schedule);
    const quietAtMs = this.#quietAtMs(pace);
    const { knownAtMs } = this.#arrivals;
    return knownAtMs > pace.nowMs ? Math.min(quietAtMs, knownAtMs) : quietAtMs;
  }

  /**
   * Takes the next samples.
   * @param maxSamples maximum number of samples
   * @returns 1 to `maxSamples` samples, or undefined when there are none
   */
  take(maxSamples: number): Int16Array | undefined {
    const taken = this.queue.take(maxSamples);
    if (taken && this.#roomWanted) this.#releaseRoom();
    return taken;
  }

  /** Puts samples back in front: samples sent but not heard when an agent was lost. */
  unread(samples: Int16Array): void {
    this.queue.unshift(samples);
    this.#primed = false;
  }

  /** Stops reading, frees the sound and discards the buffer. Settles when the sound has been freed. */
  async cancel(): Promise<void> {
    this.queue.clear();
    this.#cancelled = true;
    this.#abort.abort(new Error('the rest of the sound is not wanted'));
    this.#releaseRoom();
    await this.#reading;
  }

  /** Maximum number of samples held. */
  protected get maxSamples(): number {
    return msToSamples(this.options.bufferMs);
  }

  /** Sound to gather before samples flow, in ms. */
  protected cushionMs({ leadMs, nowMs }: Pace): number {
    return Math.min(this.#arrivals.cushionMs(leadMs, nowMs), this.options.bufferMs / 2);
  }

  /** Flushes the filters during a pause. */
  protected settle(): void {
    // The filters of a pulled sound hold nothing during a pause.
  }

  /** Time shortly before the agent runs dry. */
  protected nearlyDryAtMs(schedule: Schedule): number {
    return schedule.running ? schedule.timeOf(schedule.sentSamples) - NEARLY_DRY_MS : -Infinity;
  }

  /** Time from which the sound counts as paused, if nothing comes before. */
  #quietAtMs(pace: Pace): number {
    return this.cameMs + Math.max(this.cushionMs(pace), MIN_QUIET_MS);
  }

  /**
   * True when the agent has run dry; the remainder before a gate's pause is no reason to wait for the next
   * words.
   */
  #ranDry(frameSamples: number, { schedule, nowMs, segmentOpen }: Pace): boolean {
    if (schedule.dryMs(nowMs) === 0) return false;
    return !(this.pauses && segmentOpen && this.queue.samples < frameSamples);
  }

  /** Prepares for the first block. */
  protected async open(): Promise<void> {
    this.converter = await createConverter();
  }

  /** Takes a block of the sound. */
  protected accept(block: PcmBlock): void {
    const samples = this.converter!.push(block);
    if (samples.length === 0) return;
    this.#arrivals.add(samplesToMs(samples.length), this.cameMs);
    this.add(samples);
  }

  /** Takes the samples that the filters hold at the end. */
  protected finish(): void {
    this.add(this.converter!.flush());
  }

  /** Frees the resources of `open`. */
  protected close(): void {
    this.converter?.close();
  }

  /** Appends converted samples to the queue. */
  protected add(samples: Int16Array): void {
    this.queue.push(samples);
    this.#readSamples += samples.length;
  }

  async #read(): Promise<void> {
    const { signal } = this.#abort;
    const { clock } = this.options;
    try {
      await this.open();
      const blocks = this.sound.open({
        signal,
        info: (info) => {
          this.#info = info;
          this.options.changed();
        },
        warn: (message) => this.options.warn(message),
      });
      for await (const block of blocks) {
        if (!this.live && this.queue.samples >= this.maxSamples) await this.#room();
        if (this.#cancelled) return;
        const before = this.#readSamples;
        this.cameMs = clock.nowMs();
        this.accept(block);
        if (this.#readSamples > before) this.options.changed();
      }
      this.finish();
      this.#end(undefined);
    } catch (error) {
      if (!this.#cancelled) this.#end(toBridgeError(error, 'SOURCE_FAILED', `${this.sound.label} broke off`));
    } finally {
      this.close();
      this.#ended = true;
    }
  }

  #end(error: BridgeError | undefined): void {
    this.#ended = true;
    this.#complete = !error;
    this.#error = error;
    this.options.changed();
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#roomWanted = resolve;
    });
  }

  #releaseRoom(): void {
    if (this.queue.samples >= this.maxSamples && !this.#cancelled) return;
    const wake = this.#roomWanted;
    this.#roomWanted = undefined;
    wake?.();
  }
}

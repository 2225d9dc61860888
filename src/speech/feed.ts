import type { Clock } from '../base/clock.js';
import { toBridgeError, type BridgeError } from '../base/errors.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import { createConverter, type Converter } from '../audio/convert.js';
import type { LiveLatency } from '../audio/latency.js';
import type { PcmBlock, Sound, SoundInfo } from '../audio/pcm.js';
import { SampleQueue } from '../audio/sample-queue.js';
import type { Schedule } from './schedule.js';

/** A feed's needs and whom it tells. */
export interface FeedOptions {
  readonly clock: Clock;
  /** Most that is held converted and unsent, in ms. */
  readonly bufferMs: number;
  /** Called when samples came, when the sound ended and when it failed. */
  changed(): void;
  /** Told of a fault that did not end the sound, as a sentence. */
  warn(message: string): void;
}

/** The pace at which samples are played, at one moment. */
export interface Pace {
  readonly nowMs: number;
  readonly schedule: Schedule;
  /** True while samples were sent since the last end of a segment. */
  readonly segmentOpen: boolean;
  /** What the agent may hold, in ms. */
  readonly leadMs: number;
  /** True when the moment came by the timer wheel, not because samples came. */
  readonly byClock: boolean;
}

/** An agent that holds no more than this is about to run dry, in ms: two slots of the timer wheel. */
const NEARLY_DRY_MS = 10;
/** Sound that nothing has followed for this long, or for the cushion, is all that there is for now, in ms. */
const MIN_QUIET_MS = 100;
/** A sound may come out longer than its head says by so much, in ms: filters and paddings. */
const DURATION_SLACK_MS = 100;
/** Blocks that come no further apart than this are one piece, in ms. */
const ONE_PIECE_MS = 5;
/** So long after its first piece it is clear whether a sound comes faster than it is played, in ms. */
const KNOWN_AFTER_MS = 60;
/** A first piece that is longer than the lead by this needs no second one to begin, in ms. */
const LONG_PIECE_MS = 250;
/** A piece of a sound that comes in real time may be late by so much, in ms. */
const LATE_PIECE_MS = 80;
/** A wait for a piece that is longer than this is a pause of the source, not its pace, in ms. */
const MAX_WAIT_MS = 250;

/** How the pieces of a pulled sound came: faster than they are played, or in real time as from a microphone's pipe. */
class Arrivals {
  #pieces = 0;
  #startMs = -Infinity;
  #lastMs = -Infinity;
  #firstPieceMs = 0;
  #soundMs = 0;
  #longestWaitMs = 0;

  /** Sound of so many ms came. */
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

  /** The moment at which its pace is known although no more came. */
  get knownAtMs(): number {
    return this.#pieces === 1 ? this.#startMs + KNOWN_AFTER_MS : -Infinity;
  }

  /** What to gather so that the agent does not run dry before the next piece, in ms. */
  cushionMs(leadMs: number, nowMs: number): number {
    if (this.#pieces <= 1) return nowMs < this.knownAtMs ? leadMs + LONG_PIECE_MS : leadMs;
    const fast = this.#soundMs - this.#firstPieceMs >= 2 * (this.#lastMs - this.#startMs);
    return fast ? leadMs : Math.max(leadMs, this.#longestWaitMs + LATE_PIECE_MS);
  }
}

/**
 * Reads one sound ahead of its time: opens it, converts it to the agent's format and holds a bounded stretch of it,
 * from which the pacer takes samples when they are due. The sound is pulled: a slow agent slows the reading.
 */
export class Feed {
  readonly live: boolean = false;
  protected readonly sound: Sound;
  protected readonly options: FeedOptions;
  protected readonly queue = new SampleQueue();
  protected converter: Converter | undefined;
  /** Monotonic ms at which sound came last. */
  protected cameMs = -Infinity;
  readonly #arrivals = new Arrivals();
  readonly #abort = new AbortController();
  /** As the signal says, which takes 50 times as long to ask. */
  #cancelled = false;
  /** A cushion has been gathered: samples may flow. */
  #primed = false;
  #readSamples = 0;
  #ended = false;
  /** It came to its own end: neither an error nor somebody who wanted no more. */
  #complete = false;
  #error: BridgeError | undefined;
  #info: SoundInfo | undefined;
  #roomWanted: (() => void) | undefined;
  #reading: Promise<void> | undefined;

  constructor(sound: Sound, options: FeedOptions) {
    this.sound = sound;
    this.options = options;
  }

  /** True for a sound that falls silent on its own account, as a gate does: its pauses are no gaps. */
  get pauses(): boolean {
    return false;
  }

  /** Samples ready to be taken. */
  get bufferedSamples(): number {
    return this.queue.samples;
  }

  /** True once nothing more will come, whether by its end or by an error; samples may still be buffered. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True when the last sample has been taken and nothing more will come. */
  get exhausted(): boolean {
    return this.#ended && this.queue.samples === 0;
  }

  /** Why the sound broke off, if it did. */
  get error(): BridgeError | undefined {
    return this.#error;
  }

  /** What the sound said of itself. */
  get info(): SoundInfo | undefined {
    return this.#info;
  }

  /** All samples that came out of the sound so far, the dropped ones included. */
  get readSamples(): number {
    return this.#readSamples;
  }

  /** Samples of a live sound that were dropped because nobody took them in time. */
  get droppedSamples(): number {
    return 0;
  }

  /** Age of live sound when it left, of the last five seconds; undefined for other sound and before its first frame. */
  get recentLatency(): LiveLatency | undefined {
    return undefined;
  }

  /** The same since its start. */
  get totalLatency(): LiveLatency | undefined {
    return undefined;
  }

  /**
   * The whole length in ms: what came when it has ended, else what its head says. Unknown while the sound is already
   * longer than its head says.
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
   * The samples of the next frame. At the start, and after the agent ran dry, a cushion is gathered first: one silence
   * is better than one after another.
   * @param frameSamples length of a whole frame
   * @returns nothing while the sound has not come that far
   */
  next(frameSamples: number, pace: Pace): Int16Array | undefined {
    const { nowMs, schedule, byClock } = pace;
    if (!this.#primed || this.#ranDry(frameSamples, pace)) {
      this.#primed = this.#ended || samplesToMs(this.queue.samples) >= this.cushionMs(pace);
      if (!this.#primed) {
        if (this.queue.samples === 0 || nowMs < this.#quietAtMs(pace)) return undefined;
        // What is shorter than the cushion must not wait for more.
        this.settle();
        this.#primed = true;
        return this.take(frameSamples);
      }
    }
    if (this.queue.samples >= frameSamples || this.#ended) return this.take(frameSamples);
    // Less than a frame is there. Before the agent runs dry it goes out as it is: a syllable's end must not wait for
    // the next burst. Only at the wheel's pace, so that a source of single samples does not make frames of them.
    if (!byClock || !schedule.running) return undefined;
    return nowMs >= this.nearlyDryAtMs(schedule) ? this.take(frameSamples) : undefined;
  }

  /**
   * The moment at which `next` may have samples although no more came, in monotonic ms.
   * @returns undefined where only more sound helps
   */
  dueMs(pace: Pace): number | undefined {
    if (this.queue.samples === 0) return undefined;
    if (this.#primed) return this.nearlyDryAtMs(pace.schedule);
    const quietAtMs = this.#quietAtMs(pace);
    const { knownAtMs } = this.#arrivals;
    return knownAtMs > pace.nowMs ? Math.min(quietAtMs, knownAtMs) : quietAtMs;
  }

  /**
   * Takes samples that are next in order.
   * @param maxSamples at most so many
   * @returns 1 to `maxSamples` samples, or nothing when none are there
   */
  take(maxSamples: number): Int16Array | undefined {
    const taken = this.queue.take(maxSamples);
    if (taken && this.#roomWanted) this.#releaseRoom();
    return taken;
  }

  /** Puts samples back in front: what was sent but not heard when an agent was lost. */
  unread(samples: Int16Array): void {
    this.queue.unshift(samples);
    this.#primed = false;
  }

  /** Stops reading, frees the sound and forgets what is buffered. Settles when the sound has been freed. */
  async cancel(): Promise<void> {
    this.queue.clear();
    this.#cancelled = true;
    this.#abort.abort(new Error('the rest of the sound is not wanted'));
    this.#releaseRoom();
    await this.#reading;
  }

  /** Most samples that are held. */
  protected get maxSamples(): number {
    return msToSamples(this.options.bufferMs);
  }

  /** What is to be gathered before samples flow, in ms. */
  protected cushionMs({ leadMs, nowMs }: Pace): number {
    return Math.min(this.#arrivals.cushionMs(leadMs, nowMs), this.options.bufferMs / 2);
  }

  /** Pushes out what filters hold until more comes. */
  protected settle(): void {
    // A pulled sound has none that last.
  }

  /** The moment before the agent runs dry. */
  protected nearlyDryAtMs(schedule: Schedule): number {
    return schedule.running ? schedule.timeOf(schedule.sentSamples) - NEARLY_DRY_MS : -Infinity;
  }

  /** The moment from which the sound has paused, if nothing comes before. */
  #quietAtMs(pace: Pace): number {
    return this.cameMs + Math.max(this.cushionMs(pace), MIN_QUIET_MS);
  }

  /** True when the agent has run dry of it; what a gate left behind is no reason to wait for the next words. */
  #ranDry(frameSamples: number, { schedule, nowMs, segmentOpen }: Pace): boolean {
    if (schedule.dryMs(nowMs) === 0) return false;
    return !(this.pauses && segmentOpen && this.queue.samples < frameSamples);
  }

  /** Prepares for the first block. */
  protected async open(): Promise<void> {
    this.converter = await createConverter();
  }

  /** Takes in a block of the sound. */
  protected accept(block: PcmBlock): void {
    const samples = this.converter!.push(block);
    if (samples.length === 0) return;
    this.#arrivals.add(samplesToMs(samples.length), this.cameMs);
    this.add(samples);
  }

  /** Takes in what the filters still hold at the end. */
  protected finish(): void {
    this.add(this.converter!.flush());
  }

  /** Frees what `open` took. */
  protected close(): void {
    this.converter?.close();
  }

  /** Puts converted samples at the end of the queue. */
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

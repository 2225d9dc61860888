import type { Clock } from '../base/clock.js';
import { toBridgeError, type BridgeError } from '../base/errors.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import { createConverter } from '../audio/convert.js';
import { createDriftCorrector, type DriftCorrector } from '../audio/drift.js';
import type { Sound, SoundInfo } from '../audio/pcm.js';

/** How a feed holds what it has read ahead. */
export interface FeedOptions {
  /** Most that is held converted and unsent, in ms. A pulled sound waits at it; a live one drops its oldest. */
  readonly maxBufferedMs: number;
  /** Live sound: the fill to hold, and what lies beyond the feed, so that its clock can be followed. */
  readonly live?: LiveFeedOptions;
  /** Called when samples came, when the sound ended and when it failed. */
  onChange(): void;
  /** A fault that did not end the sound, as a sentence. */
  onWarning(message: string): void;
}

/** Silence that pushes the last samples out of the drift corrector's filter. */
const DRIFT_TAIL = new Int16Array(64);

/** How a live sound is kept on the bridge's own clock. */
export interface LiveFeedOptions {
  readonly clock: Clock;
  /** How much of it should lie between its source and the ear on average, in ms. */
  readonly targetFillMs: number;
  /** What the agent holds of it, in ms. */
  heldMs(): number;
}

/**
 * Reads one sound ahead of its time: opens it, converts it to the agent's format and holds a bounded stretch of it,
 * from which the player takes samples when they are due.
 *
 * Pull or drop, said out loud: a finite sound is pulled, so a slow agent slows the reading; a live sound cannot wait,
 * so past the bound its oldest samples are dropped and counted in `droppedSamples`.
 */
export class Feed {
  readonly live: boolean;
  readonly #sound: Sound;
  readonly #options: FeedOptions;
  readonly #maxSamples: number;
  readonly #abort = new AbortController();
  /** As the signal says, which takes 50 times as long to ask. */
  #cancelled = false;
  #queue: Int16Array[] = [];
  #bufferedSamples = 0;
  #droppedSamples = 0;
  #readSamples = 0;
  #started = false;
  #ended = false;
  /** It came to its own end: neither an error nor somebody who wanted no more. */
  #complete = false;
  #error: BridgeError | undefined;
  #info: SoundInfo | undefined;
  #roomWanted: (() => void) | undefined;
  #pumping: Promise<void> | undefined;

  constructor(sound: Sound, options: FeedOptions) {
    this.#sound = sound;
    this.live = sound.live;
    this.#options = options;
    this.#maxSamples = msToSamples(options.maxBufferedMs);
  }

  /** Samples ready to be taken. */
  get bufferedSamples(): number {
    return this.#bufferedSamples;
  }

  /** True once nothing more will come, whether by its end or by an error; samples may still be buffered. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True when the last sample has been taken and nothing more will come. */
  get exhausted(): boolean {
    return this.#ended && this.#bufferedSamples === 0;
  }

  /** Why the sound broke off, if it did. */
  get error(): BridgeError | undefined {
    return this.#error;
  }

  /** What the sound said of itself. */
  get info(): SoundInfo | undefined {
    return this.#info;
  }

  /** Samples of a live sound that were dropped because nobody took them in time. */
  get droppedSamples(): number {
    return this.#droppedSamples;
  }

  /** All samples that came out of the sound so far, the dropped ones included. */
  get readSamples(): number {
    return this.#readSamples;
  }

  /** The whole length in ms: what came when it has ended, else what its head says, else unknown. */
  get durationMs(): number | undefined {
    return this.#complete ? samplesToMs(this.#readSamples) : this.#info?.durationMs;
  }

  /** Opens the sound and begins to read ahead; a second call does nothing. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#pumping = this.#pump();
  }

  /**
   * Takes samples that are next in order.
   * @param maxSamples at most so many
   * @returns 1 to `maxSamples` samples, or nothing when none are there
   */
  take(maxSamples: number): Int16Array | undefined {
    const count = Math.min(maxSamples, this.#bufferedSamples);
    if (count === 0) return undefined;
    const first = this.#queue[0]!;
    let taken: Int16Array;
    if (first.length > count) {
      taken = first.subarray(0, count);
      this.#queue[0] = first.subarray(count);
    } else if (first.length === count) {
      taken = first;
      this.#queue.shift();
    } else {
      taken = new Int16Array(count);
      let filled = 0;
      while (filled < count) {
        const head = this.#queue[0]!;
        const part = head.subarray(0, count - filled);
        taken.set(part, filled);
        filled += part.length;
        if (part.length === head.length) this.#queue.shift();
        else this.#queue[0] = head.subarray(part.length);
      }
    }
    this.#bufferedSamples -= count;
    this.#releaseRoom();
    return taken;
  }

  /** Puts samples back in front: what was sent but not heard when an agent was lost. */
  unread(samples: Int16Array): void {
    if (samples.length === 0) return;
    this.#queue.unshift(samples);
    this.#bufferedSamples += samples.length;
  }

  /** Stops reading, frees the sound and forgets what is buffered. Settles when the sound has been freed. */
  async cancel(): Promise<void> {
    this.#queue = [];
    this.#bufferedSamples = 0;
    this.#cancelled = true;
    this.#abort.abort(new Error('the rest of the sound is not wanted'));
    this.#releaseRoom();
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    const { signal } = this.#abort;
    let converter;
    let drift: DriftCorrector | undefined;
    try {
      converter = await createConverter();
      if (this.live && this.#options.live) drift = await createDriftCorrector(this.#options.live);
      const blocks = this.#sound.open({
        signal,
        info: (info) => {
          this.#info = info;
          this.#options.onChange();
        },
        warn: (message) => this.#options.onWarning(message),
      });
      for await (const block of blocks) {
        if (!this.live && this.#bufferedSamples >= this.#maxSamples) await this.#room();
        if (this.#cancelled) return;
        const samples = converter.push(block);
        this.#push(drift ? this.#onOurClock(drift, samples) : samples);
      }
      const rest = converter.flush();
      if (drift) this.#push(this.#onOurClock(drift, Int16Array.of(...rest, ...DRIFT_TAIL)));
      else this.#push(rest);
      this.#end(undefined);
    } catch (error) {
      if (!this.#cancelled)
        this.#end(toBridgeError(error, 'SOURCE_FAILED', `${this.#sound.label} broke off`));
    } finally {
      converter?.close();
      drift?.close();
      this.#ended = true;
    }
  }

  #push(samples: Int16Array): void {
    if (samples.length === 0) return;
    this.#queue.push(samples);
    this.#bufferedSamples += samples.length;
    this.#readSamples += samples.length;
    if (this.live) this.#dropOldest();
    this.#options.onChange();
  }

  /** A microphone's clock is not ours: over hours a fast one would pile up and a slow one starve. */
  #onOurClock(drift: DriftCorrector, samples: Int16Array): Int16Array {
    const { clock, heldMs } = this.#options.live!;
    drift.observe(samplesToMs(this.#bufferedSamples) + heldMs(), clock.nowMs());
    return drift.push(samples);
  }

  #dropOldest(): void {
    let excess = this.#bufferedSamples - this.#maxSamples;
    if (excess <= 0) return;
    this.#bufferedSamples -= excess;
    this.#droppedSamples += excess;
    while (excess > 0) {
      const head = this.#queue[0]!;
      if (head.length > excess) this.#queue[0] = head.subarray(excess);
      else this.#queue.shift();
      excess -= Math.min(excess, head.length);
    }
  }

  #end(error: BridgeError | undefined): void {
    this.#ended = true;
    this.#complete = !error;
    this.#error = error;
    this.#options.onChange();
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#roomWanted = resolve;
    });
  }

  #releaseRoom(): void {
    if (!this.#roomWanted) return;
    if (this.#bufferedSamples >= this.#maxSamples && !this.#cancelled) return;
    const wake = this.#roomWanted;
    this.#roomWanted = undefined;
    wake();
  }
}

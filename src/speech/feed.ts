import type { Clock } from '../base/clock.js';
import { ThrottledWarnings } from '../base/throttled-warnings.js';
import { toBridgeError, type BridgeError } from '../base/errors.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import { createConverter, type Converter } from '../audio/convert.js';
import { createDriftCorrector, type DriftCorrector } from '../audio/drift.js';
import { FINE_LOOKAHEAD_SAMPLES } from '../audio/fine-resampler.js';
import type { PcmBlock, Sound, SoundInfo } from '../audio/pcm.js';
import { SampleQueue } from '../audio/sample-queue.js';
import { FeedLatency, type LiveFrame } from './feed-latency.js';

/** How a feed holds what it has read ahead. */
export interface FeedOptions {
  /** Most that is held converted and unsent now, in ms. A pulled sound waits at it; a live one drops its oldest. */
  maxBufferedMs(): number;
  /** Live sound: the fill to hold, and what lies beyond the feed, so that its clock can be followed. */
  readonly live?: LiveFeedOptions;
  /** Called when samples came, when the sound ended and when it failed. */
  onChange(): void;
  /** A fault that did not end the sound, as a sentence. */
  onWarning(message: string): void;
  /** Live sound was dropped: a sentence, at most one every ten seconds. */
  onDrop?(message: string): void;
  /** Live sound leaves. */
  onFrame?(frame: LiveFrame): void;
}

/** Silence that pushes the last samples out of the drift corrector's filter. */
const DRIFT_TAIL = new Int16Array(FINE_LOOKAHEAD_SAMPLES);
/** What stays behind in that filter. */
const DRIFT_MS = samplesToMs(FINE_LOOKAHEAD_SAMPLES);

/** How a live sound is kept on the bridge's own clock. */
export interface LiveFeedOptions {
  readonly clock: Clock;
  /** How much of it should lie between its source and the ear on average now, in ms. After a drop so much is left. */
  readonly targetFillMs: number;
  /** How much of it may come at once, in ms; see `Sound.burstMs`. */
  readonly burstMs: number;
  /** What the agent holds of it, in ms. */
  heldMs(): number;
}

/**
 * Reads one sound ahead of its time: opens it, converts it to the agent's format and holds a bounded stretch of it,
 * from which the player takes samples when they are due.
 *
 * Pull or drop, said out loud: a finite sound is pulled, so a slow agent slows the reading; a live sound cannot wait,
 * so past the bound its oldest samples are dropped, down to the fill that is wanted: a queue that stays full would be a
 * delay that never goes away. They are counted in `droppedSamples` and told of. Before anything is taken, while an agent
 * gets ready, nothing older than the fill that is wanted is kept at all.
 */
export class Feed {
  readonly live: boolean;
  readonly #sound: Sound;
  readonly #options: FeedOptions;
  readonly #abort = new AbortController();
  /** As the signal says, which takes 50 times as long to ask. */
  #cancelled = false;
  readonly #queue = new SampleQueue();
  readonly #latency: FeedLatency | undefined;
  readonly #throttled: ThrottledWarnings | undefined;
  #filters: { readonly converter: Converter; readonly drift: DriftCorrector } | undefined;
  #cameMs = -Infinity;
  #settled = true;
  #taken = false;
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
    const { live, onDrop } = options;
    if (!sound.live || !live) return;
    this.#latency = new FeedLatency();
    this.#throttled = new ThrottledWarnings((message) => onDrop?.(message), live.clock);
  }

  get #maxSamples(): number {
    return msToSamples(this.#options.maxBufferedMs());
  }

  /** True for a live sound that falls silent on its own account, as a gate does: its pauses are no gaps. */
  get pauses(): boolean {
    return this.live && (this.#options.live?.burstMs ?? 0) > 0;
  }

  /** How old live sound is when it leaves: nothing for other sound, and before its first frame. */
  get latency(): FeedLatency | undefined {
    return this.#latency;
  }

  /** Samples ready to be taken. */
  get bufferedSamples(): number {
    return this.#queue.samples;
  }

  /** True once nothing more will come, whether by its end or by an error; samples may still be buffered. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True when the last sample has been taken and nothing more will come. */
  get exhausted(): boolean {
    return this.#ended && this.#queue.samples === 0;
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

  /** True while the filters of a live sound hold samples that only more of it, or `settle`, pushes out. */
  get unsettled(): boolean {
    return !this.#settled && !this.#ended;
  }

  /** When live sound came last, in ms of its clock. */
  get cameMs(): number {
    return this.#cameMs;
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
    const from = this.#readSamples - this.#queue.samples;
    const taken = this.#queue.take(maxSamples);
    if (!taken) return undefined;
    this.#taken = true;
    if (this.#latency) this.#leaves(from);
    this.#releaseRoom();
    return taken;
  }

  /** A live sound pauses: what its filters hold until more comes is pushed out by silence. */
  settle(): void {
    if (!this.unsettled) return;
    this.#settled = true;
    const { converter, drift } = this.#filters!;
    const rest = converter.flush();
    this.#latency!.convertedMore(rest.length);
    const samples = drift.push(Int16Array.of(...rest, ...DRIFT_TAIL));
    this.#readSamples += samples.length;
    this.#queue.push(samples);
  }

  /** Puts samples back in front: what was sent but not heard when an agent was lost. */
  unread(samples: Int16Array): void {
    this.#queue.unshift(samples);
  }

  /** Stops reading, frees the sound and forgets what is buffered. Settles when the sound has been freed. */
  async cancel(): Promise<void> {
    this.#queue.clear();
    this.#throttled?.end();
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
      if (this.live && this.#options.live) {
        drift = await createDriftCorrector(this.#options.live);
        this.#filters = { converter, drift };
      }
      const blocks = this.#sound.open({
        signal,
        info: (info) => {
          this.#info = info;
          this.#options.onChange();
        },
        warn: (message) => this.#options.onWarning(message),
      });
      for await (const block of blocks) {
        if (!this.live && this.#queue.samples >= this.#maxSamples) await this.#room();
        if (this.#cancelled) return;
        if (drift) this.#pushLive(block, converter, drift);
        else this.#push(converter.push(block));
      }
      const rest = converter.flush();
      if (!drift) this.#push(rest);
      else if (!this.#settled) this.#push(drift.push(Int16Array.of(...rest, ...DRIFT_TAIL)));
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
    this.#readSamples += samples.length;
    this.#options.onChange();
  }

  /** A microphone's clock is not ours: over hours a fast one would pile up and a slow one starve. */
  #pushLive(block: PcmBlock, converter: Converter, drift: DriftCorrector): void {
    const { clock, heldMs } = this.#options.live!;
    const nowMs = clock.nowMs();
    this.#cameMs = nowMs;
    this.#settled = false;
    drift.observe(samplesToMs(this.#queue.samples) + heldMs(), nowMs);
    const converted = converter.push(block);
    const samples = drift.push(converted);
    this.#latency!.piece(
      {
        block,
        converted: converted.length,
        ...{ converterMs: converter.pendingMs, driftMs: DRIFT_MS },
        ...{ made: samples.length, madeBefore: this.#readSamples },
      },
      nowMs,
    );
    this.#readSamples += samples.length;
    this.#queue.push(samples);
    if (this.#dropOldest(samples.length)) drift.restart();
    if (samples.length > 0) this.#options.onChange();
  }

  /** @param newest samples that came last @returns true when something had to be dropped */
  #dropOldest(newest: number): boolean {
    const { targetFillMs, burstMs, heldMs } = this.#options.live!;
    const wanted = msToSamples(Math.max(0, targetFillMs - heldMs()));
    const waiting = Math.min(wanted + msToSamples(burstMs) + newest, this.#maxSamples);
    const [most, left] = this.#taken
      ? [this.#maxSamples, Math.min(wanted, this.#maxSamples)]
      : [waiting, waiting];
    if (this.#queue.samples <= most) return false;
    const dropped = this.#queue.dropTo(left);
    this.#droppedSamples += dropped;
    const totalMs = samplesToMs(this.#droppedSamples);
    const why = this.#taken ? 'it came faster than it could be played' : 'the avatar was not ready for it';
    this.#throttled!.drop(`live sound (${this.#sound.label})`, samplesToMs(dropped), totalMs, why);
    return true;
  }

  #leaves(sample: number): void {
    const frame = this.#latency!.leaves(sample, this.#options.live!.clock.nowMs());
    if (frame) this.#options.onFrame?.(frame);
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
    if (this.#queue.samples >= this.#maxSamples && !this.#cancelled) return;
    const wake = this.#roomWanted;
    this.#roomWanted = undefined;
    wake();
  }
}

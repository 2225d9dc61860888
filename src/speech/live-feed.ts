import type { Logger } from '../base/logger.js';
import { ThrottledWarnings } from '../base/throttled-warnings.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import { createDriftCorrector, type DriftCorrector } from '../audio/drift.js';
import { FINE_LOOKAHEAD_SAMPLES } from '../audio/fine-resampler.js';
import { LatencyMeter, Timeline, type LatencyFigures, type LiveLatency } from '../audio/latency.js';
import { blockMs, type PcmBlock, type Sound } from '../audio/pcm.js';
import { Feed, type FeedOptions, type Pace } from './feed.js';

/** A live feed's needs beside those of any feed. */
export interface LiveFeedOptions extends FeedOptions {
  readonly logger: Logger;
  /** What the agent may hold of it now, in ms. */
  leadMs(): number;
  /** What the agent holds of it now, in ms. */
  heldMs(): number;
}

/** Live sound kept back beyond the lead and what may come at once, before its oldest is dropped, in ms. */
const SLACK_MS = 300;
/** Live sound on its way beyond the lead on average, in ms: half a capture period and half a frame. */
const FILL_MS = 40;
/** Pieces of live sound that come no further apart than this, in ms, belong together at the smallest lead. */
const MIN_PIECE_MS = 50;
/** Silence that pushes the last samples out of the drift corrector's filter. */
const DRIFT_TAIL = new Int16Array(FINE_LOOKAHEAD_SAMPLES);
/** What stays behind in that filter. */
const DRIFT_MS = samplesToMs(FINE_LOOKAHEAD_SAMPLES);

/**
 * Reads a live sound, which cannot wait: past its bound the oldest samples are dropped, down to the fill that is wanted,
 * for a queue that stays full would be a delay that never goes away. They are counted and told of. Before anything is
 * taken, while an agent gets ready, nothing older than the fill that is wanted is kept at all. Its clock is followed, so
 * that over hours a fast one does not pile up and a slow one does not starve.
 */
export class LiveFeed extends Feed {
  override readonly live = true;
  readonly #options: LiveFeedOptions;
  readonly #burstMs: number;
  readonly #warnings: ThrottledWarnings;
  readonly #captured = new Timeline();
  readonly #meter = new LatencyMeter();
  #from: LiveLatency['from'] = 'arrival';
  #drift: DriftCorrector | undefined;
  #settled = true;
  #taken = false;
  #droppedSamples = 0;

  constructor(sound: Sound, options: LiveFeedOptions) {
    super(sound, options);
    this.#options = options;
    this.#burstMs = sound.burstMs ?? 0;
    this.#warnings = new ThrottledWarnings((message) => {
      options.logger.warn({}, message);
      options.warn(message);
    }, options.clock);
  }

  override get pauses(): boolean {
    return this.#burstMs > 0;
  }

  override get droppedSamples(): number {
    return this.#droppedSamples;
  }

  override get recentLatency(): LiveLatency | undefined {
    return this.#told(this.#meter.recent);
  }

  override get totalLatency(): LiveLatency | undefined {
    return this.#told(this.#meter.total);
  }

  override next(frameSamples: number, pace: Pace): Int16Array | undefined {
    // The end of a word must not wait for the next one in the filters.
    if (this.#lastHeldBack && pace.nowMs >= this.#lastDueMs(pace)) this.settle();
    return super.next(frameSamples, pace);
  }

  override dueMs(pace: Pace): number | undefined {
    return this.#lastHeldBack ? this.#lastDueMs(pace) : super.dueMs(pace);
  }

  override take(maxSamples: number): Int16Array | undefined {
    const from = this.readSamples - this.queue.samples;
    const taken = super.take(maxSamples);
    if (!taken) return undefined;
    this.#taken = true;
    const capturedMs = this.#captured.msOf(from);
    if (capturedMs !== undefined) this.#meter.add(Math.max(0, this.#options.clock.nowMs() - capturedMs));
    return taken;
  }

  override async cancel(): Promise<void> {
    this.#warnings.end();
    await super.cancel();
  }

  protected override get maxSamples(): number {
    return msToSamples(this.#options.leadMs() + this.#burstMs + SLACK_MS);
  }

  /** A live sound comes at the pace at which it is played: the lead has to be gathered. */
  protected override cushionMs({ leadMs }: Pace): number {
    return Math.min(leadMs, this.#options.bufferMs / 2);
  }

  protected override async open(): Promise<void> {
    await super.open();
    const { leadMs } = this.#options;
    this.#drift = await createDriftCorrector({
      get targetFillMs() {
        return leadMs() + FILL_MS;
      },
    });
  }

  protected override accept(block: PcmBlock): void {
    const drift = this.#drift!;
    const converter = this.converter!;
    this.#settled = false;
    drift.observe(samplesToMs(this.queue.samples) + this.#options.heldMs(), this.cameMs);
    const samples = drift.push(converter.push(block));
    if (samples.length > 0) {
      if (block.capturedAtMs !== undefined) this.#from = 'capture';
      const endMs = block.capturedAtMs === undefined ? this.cameMs : block.capturedAtMs + blockMs(block);
      const behindMs = converter.pendingMs + DRIFT_MS + samplesToMs(samples.length);
      this.#captured.add(this.readSamples, endMs - behindMs);
    }
    this.add(samples);
    if (this.#dropOldest(samples.length)) drift.restart();
  }

  protected override finish(): void {
    const rest = this.converter!.flush();
    if (!this.#settled) this.add(this.#drift!.push(Int16Array.of(...rest, ...DRIFT_TAIL)));
  }

  protected override close(): void {
    super.close();
    this.#drift?.close();
  }

  /** It pauses: what its filters hold until more comes is pushed out by silence. */
  protected override settle(): void {
    if (this.#settled || this.ended) return;
    this.#settled = true;
    this.add(this.#drift!.push(Int16Array.of(...this.converter!.flush(), ...DRIFT_TAIL)));
  }

  /** All that came has left, but for what its filters hold back. */
  get #lastHeldBack(): boolean {
    return this.queue.samples === 0 && !this.#settled && !this.ended;
  }

  /** When that has to go: when the agent is about to run dry of it, so that no silence comes in between. */
  #lastDueMs({ schedule }: Pace): number {
    return Math.max(this.nearlyDryAtMs(schedule), this.cameMs + MIN_PIECE_MS);
  }

  /** @param newest samples that came last @returns true when something had to be dropped */
  #dropOldest(newest: number): boolean {
    const { leadMs, heldMs } = this.#options;
    const max = this.maxSamples;
    const wanted = msToSamples(Math.max(0, leadMs() + FILL_MS - heldMs()));
    const waiting = Math.min(wanted + msToSamples(this.#burstMs) + newest, max);
    const [most, left] = this.#taken ? [max, Math.min(wanted, max)] : [waiting, waiting];
    if (this.queue.samples <= most) return false;
    const dropped = this.queue.dropTo(left);
    this.#droppedSamples += dropped;
    const totalMs = samplesToMs(this.#droppedSamples);
    const why = this.#taken ? 'it came faster than it could be played' : 'the avatar was not ready for it';
    this.#warnings.drop(`live sound (${this.sound.label})`, samplesToMs(dropped), totalMs, why);
    return true;
  }

  #told(figures: LatencyFigures | undefined): LiveLatency | undefined {
    return figures && { from: this.#from, ...figures };
  }
}

import type { Logger } from '../base/logger.js';
import { ThrottledWarnings } from '../base/throttled-warnings.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import { createDriftCorrector, type DriftCorrector } from '../audio/drift.js';
import { FINE_LOOKAHEAD_SAMPLES } from '../audio/fine-resampler.js';
import { LatencyMeter, Timeline, type LatencyFigures, type LiveLatency } from '../audio/latency.js';
import { blockMs, type PcmBlock, type Sound } from '../audio/pcm.js';
import { Feed, type FeedOptions, type Pace } from './feed.js';

/** Additional options of a live feed. */
export interface LiveFeedOptions extends FeedOptions {
  readonly logger: Logger;
  /** Returns the maximum sound the agent may hold now, in ms. */
  leadMs(): number;
  /** Returns the sound the agent holds now, in ms. */
  heldMs(): number;
}

/** Live sound held beyond the lead and the allowed burst before the oldest is dropped, in ms. */
const SLACK_MS = 300;
/** Live sound in transit beyond the lead on average, in ms: half a capture period and half a frame. */
const FILL_MS = 40;
/** Maximum interval between pieces of live sound that belong together at the smallest lead, in ms. */
const MIN_PIECE_MS = 50;
/** Silence that pushes the last samples out of the drift corrector's filter. */
const DRIFT_TAIL = new Int16Array(FINE_LOOKAHEAD_SAMPLES);
/** Delay of the drift corrector's filter, in ms. */
const DRIFT_MS = samplesToMs(FINE_LOOKAHEAD_SAMPLES);

/**
 * Reads a live sound, which cannot wait. Above its bound it drops the oldest samples down to the wanted fill,
 * because a queue that stays full would be a permanent delay. Drops are counted and reported. While the agent
 * prepares and nothing is taken, only the wanted fill is kept. It follows the source's clock, so that over
 * hours a fast clock does not fill the queue and a slow one does not empty it.
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
    // The end of a word must not stay in the filters until the next word.
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

  /** A live sound arrives at playing speed, so the whole lead must be gathered. */
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

  /** Pushes the samples in the filters out with silence when the sound pauses. */
  protected override settle(): void {
    if (this.#settled || this.ended) return;
    this.#settled = true;
    this.add(this.#drift!.push(Int16Array.of(...this.converter!.flush(), ...DRIFT_TAIL)));
  }

  /** True when everything that came has been sent, except for samples in the filters. */
  get #lastHeldBack(): boolean {
    return this.queue.samples === 0 && !this.#settled && !this.ended;
  }

  /**
   * Time at which the samples in the filters must be sent: just before the agent runs dry, so that no silence
   * comes between.
   */
  #lastDueMs({ schedule }: Pace): number {
    return Math.max(this.nearlyDryAtMs(schedule), this.cameMs + MIN_PIECE_MS);
  }

  /** @param newest number of samples that came last @returns true when samples were dropped */
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

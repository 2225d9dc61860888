import { systemClock, type Clock } from '../base/clock.js';
import { toBridgeError } from '../base/errors.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import { createDriftCorrector, type DriftCorrector } from './drift.js';
import { LiveQueue } from './live-queue.js';

/** How live sound is held between the source and the pacer. */
export interface LiveOptions {
  /**
   * Sound taken in and not yet heard that is to be held on average, in milliseconds. With a pacer behind it, its lead
   * and one capture period: less would starve, more is delay.
   */
  readonly targetFillMs?: number;
  /** The most that waits here; what is older is dropped, down to the target. */
  readonly maxQueuedMs?: number;
  /** Told how much sound was just dropped, in milliseconds. */
  readonly onDrop?: (droppedMs: number) => void;
  readonly clock?: Clock;
}

/**
 * Live 16 kHz mono sound between a source that cannot wait and a pacer that takes at the bridge's pace. It reads the
 * source at once, whoever takes; it stretches by so little that nobody hears it what a microphone's clock differs from
 * ours; and it drops the oldest when nobody takes. Iterate it once; ending the iteration frees the source.
 */
export class LiveStage implements AsyncIterable<Int16Array> {
  readonly #source: AsyncIterator<Int16Array>;
  readonly #corrector: DriftCorrector;
  readonly #queue: LiveQueue;
  readonly #clock: Clock;
  readonly #onDrop: ((droppedMs: number) => void) | undefined;
  /** When what was taken so far will have been heard, if it was taken at the pace at which it is heard. */
  #heardUntilMs = -Infinity;

  /** Use `openLive`. */
  constructor(source: AsyncIterable<Int16Array>, corrector: DriftCorrector, options: LiveOptions) {
    this.#source = source[Symbol.asyncIterator]();
    this.#corrector = corrector;
    this.#clock = options.clock ?? systemClock;
    this.#onDrop = options.onDrop;
    this.#queue = new LiveQueue({
      maxSamples: msToSamples(options.maxQueuedMs ?? DEFAULT_MAX_QUEUED_MS),
      keepSamples: msToSamples(options.targetFillMs ?? DEFAULT_TARGET_FILL_MS),
    });
    void this.#read();
  }

  /** Sound taken in and, by our clock, not yet heard, in milliseconds. */
  get fillMs(): number {
    const aheadMs = Math.max(0, this.#heardUntilMs - this.#clock.nowMs());
    return samplesToMs(this.#queue.queuedSamples) + aheadMs;
  }

  /** Sound that waits here, in milliseconds. */
  get queuedMs(): number {
    return samplesToMs(this.#queue.queuedSamples);
  }

  /** Sound dropped so far because nobody took it, in milliseconds. */
  get droppedMs(): number {
    return samplesToMs(this.#queue.droppedSamples);
  }

  /** The source's clock against ours as far as it is known, in millionths; above 0 it runs fast. */
  get driftPpm(): number {
    return this.#corrector.learntPpm;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Int16Array> {
    try {
      for (;;) {
        const samples = await this.#queue.next();
        if (samples === undefined) return;
        this.#heardUntilMs = Math.max(this.#heardUntilMs, this.#clock.nowMs()) + samplesToMs(samples.length);
        yield samples;
      }
    } finally {
      this.#queue.end();
      this.#corrector.close();
      // Not awaited: a source that waits for its next sound must not hold back whoever ended this.
      void Promise.resolve(this.#source.return?.()).catch(() => undefined);
    }
  }

  async #read(): Promise<void> {
    try {
      for (let next = await this.#source.next(); !next.done; next = await this.#source.next()) {
        if (this.#corrector.closed) return;
        const dropped = this.#queue.push(this.#corrector.push(next.value));
        if (dropped > 0) {
          // The correction would otherwise go on working off what is no longer there.
          this.#corrector.restart();
          this.#onDrop?.(samplesToMs(dropped));
        }
        this.#corrector.observe(this.fillMs, this.#clock.nowMs());
      }
      this.#queue.end();
    } catch (error) {
      this.#queue.end(toBridgeError(error, 'SOURCE_FAILED', 'The live sound broke off'));
    }
  }
}

const DEFAULT_TARGET_FILL_MS = 120;
const DEFAULT_MAX_QUEUED_MS = 500;

/**
 * Puts live sound on the bridge's own clock.
 * @param source 16 kHz mono, as it comes in; owned from here on
 * @throws BridgeError INTERNAL when the resampler cannot be loaded
 */
export async function openLive(
  source: AsyncIterable<Int16Array>,
  options: LiveOptions = {},
): Promise<LiveStage> {
  const corrector = await createDriftCorrector({
    targetFillMs: options.targetFillMs ?? DEFAULT_TARGET_FILL_MS,
  });
  return new LiveStage(source, corrector, options);
}

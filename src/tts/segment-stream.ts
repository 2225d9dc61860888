import { systemClock, type Clock, type Timer } from '../base/clock.js';
import { TextSegmenter, type SegmenterOptions } from './segmenter.js';

/** How a stream of text is cut. */
export interface SegmentStreamOptions extends SegmenterOptions {
  /** A writer silent for this long has finished the sentence that stands complete. 80 by default. */
  readonly settleMs?: number | undefined;
  /** A writer silent for this long is not waited for: what can be said is said. 2,000 by default. */
  readonly pauseMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Ends the iteration with its reason; the text's iterator is told to return. */
  readonly signal?: AbortSignal | undefined;
}

/** Stands in a stream of text where a segment must end: all before it is said before anything after it. */
export const SEGMENT_BREAK = Symbol('segment break');

/**
 * Cuts a text that is being written into segments, each as soon as it is certain or the writer pauses.
 * The text is pulled: nothing is read ahead of who takes the segments.
 * @returns the segments in order; joined, they are the text
 */
export async function* segmentText(
  text: AsyncIterable<string | typeof SEGMENT_BREAK>,
  options: SegmentStreamOptions = {},
): AsyncGenerator<string, void, void> {
  const { settleMs = 80, pauseMs = 2000, clock = systemClock, signal } = options;
  const segmenter = new TextSegmenter(options);
  const pieces = text[Symbol.asyncIterator]();
  let open = true;
  try {
    while (true) {
      const next = new Arrival(pieces.next(), clock, signal);
      if (!(await next.within(settleMs))) {
        yield* segmenter.settle();
        while (!(await next.within(segmenter.hasSpeech ? pauseMs - settleMs : undefined)))
          yield* segmenter.drain();
      }
      const piece = await next.promise;
      if (piece.done) break;
      yield* piece.value === SEGMENT_BREAK ? segmenter.flush() : segmenter.push(piece.value);
    }
    open = false;
    yield* segmenter.flush();
  } finally {
    // Not waited for: a generator that is asked to return answers only after its pending piece.
    if (open) void Promise.resolve(pieces.return?.()).catch(() => undefined);
  }
}

/** A promise that can be waited for in steps, without one more reaction on it for each step. */
class Arrival<Value> {
  readonly promise: Promise<Value>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #settled = false;
  #wake: (() => void) | undefined;

  constructor(promise: Promise<Value>, clock: Clock, signal: AbortSignal | undefined) {
    this.promise = promise;
    this.#clock = clock;
    this.#signal = signal;
    const settle = (): void => {
      this.#settled = true;
      this.#wake?.();
    };
    promise.then(settle, settle);
  }

  /**
   * Waits for the promise.
   * @param ms at most so long; without a bound when undefined
   * @returns whether it has settled
   * @throws the signal's reason when it is aborted
   */
  async within(ms: number | undefined): Promise<boolean> {
    this.#signal?.throwIfAborted();
    if (this.#settled) return true;
    let timer: Timer | undefined;
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    this.#wake = wake;
    this.#signal?.addEventListener('abort', wake, { once: true });
    if (ms !== undefined) timer = this.#clock.after(Math.max(0, ms), wake);
    await woken;
    timer?.cancel();
    this.#signal?.removeEventListener('abort', wake);
    this.#signal?.throwIfAborted();
    return this.#settled;
  }
}

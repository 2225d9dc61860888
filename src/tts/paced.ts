import { systemClock, type Clock, type Timer } from '../base/clock.js';

/** Waits for a text that is being written. */
export interface PaceOptions {
  /** A writer silent for this long has finished the sentence that stands complete. 80 by default. */
  readonly settleMs?: number | undefined;
  /** A writer silent for this long is not waited for: what can be said is said. 2,000 by default. */
  readonly pauseMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Ends the iteration with its reason; the text's iterator is told to return. */
  readonly signal?: AbortSignal | undefined;
}

/** A step of text preparation: takes pieces and gives out what has become certain, in order. */
export interface TextStage<Piece, Result> {
  /** True while there is something to say that has not been given out. */
  readonly hasSpeech: boolean;
  push(piece: Piece): Result[];
  /** The writer paused for a moment. */
  settle(): Result[];
  /** The writer paused for long. */
  drain(): Result[];
  /** The text has ended. */
  flush(): Result[];
}

/** After this many UTF-16 units of text, other work of the process has its turn. */
const SLICE_CHARS = 1024;

/**
 * Feeds a text that is being written to a stage, and tells the stage of the writer's pauses. The text is pulled: nothing is
 * read ahead of who takes the results. A long piece does not hold up the event loop.
 */
export async function* paced<Piece, Result>(
  text: AsyncIterable<Piece>,
  stage: TextStage<Piece, Result>,
  options: PaceOptions = {},
): AsyncGenerator<Result, void, void> {
  const { settleMs = 80, pauseMs = 2000, clock = systemClock, signal } = options;
  const pieces = text[Symbol.asyncIterator]();
  let open = true;
  let workedChars = 0;
  try {
    while (true) {
      const next = new Arrival(pieces.next(), clock, signal);
      if (!(await next.within(settleMs))) {
        yield* stage.settle();
        while (!(await next.within(stage.hasSpeech ? pauseMs - settleMs : undefined))) yield* stage.drain();
      }
      const piece = await next.promise;
      if (piece.done) break;
      for (const slice of slicesOf(piece.value)) {
        yield* stage.push(slice);
        workedChars += typeof slice === 'string' ? slice.length : 0;
        if (workedChars < SLICE_CHARS) continue;
        workedChars = 0;
        await new Promise((resolve) => setImmediate(resolve));
        signal?.throwIfAborted();
      }
    }
    open = false;
    yield* stage.flush();
  } finally {
    // Not waited for: a generator that is asked to return answers only after its pending piece.
    if (open) void Promise.resolve(pieces.return?.()).catch(() => undefined);
  }
}

function* slicesOf<Piece>(piece: Piece): Generator<Piece> {
  if (typeof piece !== 'string' || piece.length <= SLICE_CHARS) {
    yield piece;
    return;
  }
  for (let at = 0; at < piece.length; at += SLICE_CHARS) yield piece.slice(at, at + SLICE_CHARS) as Piece;
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

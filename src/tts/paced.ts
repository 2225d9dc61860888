import { systemClock, type Clock, type Timer } from '../base/clock.js';

/** Timeouts for a text that is being written. */
export interface PaceOptions {
  /** Pause of the writer after which a complete sentence is final. Default 80. */
  readonly settleMs?: number | undefined;
  /** Pause of the writer after which everything speakable is spoken. Default 2,000. */
  readonly pauseMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Ends the iteration with its reason and returns the text's iterator. */
  readonly signal?: AbortSignal | undefined;
}

/** A step of text preparation: takes pieces and returns results that are certain, in order. */
export interface TextStage<Piece, Result> {
  /** True while there is speech that has not been returned. */
  readonly hasSpeech: boolean;
  push(piece: Piece): Result[];
  /** Handles a short pause of the writer. */
  settle(): Result[];
  /** Handles a long pause of the writer. */
  drain(): Result[];
  /** Handles the end of the text. */
  flush(): Result[];
}

/** UTF-16 units of text after which other work of the process gets a turn. */
const SLICE_CHARS = 1024;

/**
 * Feeds a text that is being written to a stage and reports the writer's pauses. The text is pulled: nothing
 * is read before the results are taken. A long piece does not block the event loop.
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
    // Not awaited: a generator returns only after its pending piece.
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

/** A promise that can be awaited in steps without adding a reaction for each step. */
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
   * @param ms maximum wait; unlimited when undefined
   * @returns true when it has settled
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

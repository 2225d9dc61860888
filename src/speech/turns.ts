import { toBridgeError, type BridgeError } from '../base/errors.js';
import type { ActiveSpeech } from './active-speech.js';
import type { FrameSink } from './sink.js';
import { WaitingList } from './waiting.js';

/** What turns stand on, and whom they tell. */
export interface TurnsOptions {
  readonly sink: Pick<FrameSink, 'prepare'>;
  /** Speeches that may wait; one more is refused. */
  readonly maxQueued: number;
  /** It has prepared: its frames may leave. */
  onReady(run: ActiveSpeech): void;
  /** It could not prepare. */
  onFailed(run: ActiveSpeech, error: BridgeError): void;
}

/**
 * The way of a speech up to its first frame: it waits for its turn, and prepares (its sound opens, the agent gets ready,
 * the speeches it is to begin with get as far). One prepares at a time.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #waiting: WaitingList;
  #preparing: ActiveSpeech | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#waiting = new WaitingList(options.maxQueued);
  }

  /** The run that prepares, if one does. */
  get preparing(): ActiveSpeech | undefined {
    return this.#preparing;
  }

  /** Those that wait, in order, without the one that prepares. */
  get waiting(): ActiveSpeech[] {
    return this.#waiting.list();
  }

  /** @throws BridgeError QUEUE_FULL when one more would be too many */
  checkRoom(label: string): void {
    this.#waiting.checkRoom(label);
  }

  /** Takes one in, to wait. */
  add(run: ActiveSpeech): void {
    this.#waiting.add(run);
  }

  /** Takes those back in front that had their turn and go on later, in order. */
  putBack(runs: readonly ActiveSpeech[]): void {
    for (const run of runs.toReversed()) this.#waiting.putBack(run);
  }

  /** Forgets one. */
  remove(run: ActiveSpeech): void {
    this.#waiting.remove(run);
    if (this.#preparing === run) this.#preparing = undefined;
  }

  /**
   * Lets the first have its turn. Call it while none prepares and none's frames leave.
   * @param draining one is still heard: only one that joins it or has interrupted it may prepare, any other opens its sound
   */
  advance(draining: boolean): void {
    const next = this.#waiting.first();
    if (!next) return;
    next.feed.start();
    if (draining && !next.immediate && !next.speech.options.join) return;
    this.#waiting.remove(next);
    this.#preparing = next;
    next.speech.enter('preparing');
    this.#prepare(next).then(
      () => this.#leave(next, () => this.#options.onReady(next)),
      (error: unknown) =>
        this.#leave(next, () =>
          this.#options.onFailed(next, toBridgeError(error, 'INTERNAL', 'Preparing the agent failed')),
        ),
    );
  }

  /**
   * Opens the sound of a speech that joins once all of the one before it has been read: a decoder takes time to start,
   * and asked for at the last frame it would be late.
   * @param feeding the one whose frames leave
   */
  readAhead(feeding: ActiveSpeech | undefined): void {
    const next = this.#waiting.first();
    if (next?.speech.options.join && feeding?.feed.ended) next.feed.start();
  }

  /** The run that goes on in the same segment where `run` ends, if the next one is to and can. */
  joiner(run: ActiveSpeech): ActiveSpeech | undefined {
    const next = this.#waiting.first();
    return next?.speech.options.join && sameNeeds(run, next) ? next : undefined;
  }

  /** A run that joins begins: there is nothing to prepare. */
  join(run: ActiveSpeech): void {
    this.#waiting.remove(run);
    run.speech.enter('preparing');
  }

  async #prepare({ speech, preparing: { signal } }: ActiveSpeech): Promise<void> {
    const { options } = speech;
    await this.#options.sink.prepare(options, signal, (message) => speech.tell('waiting', message));
    await options.gate?.arrive(signal);
  }

  #leave(run: ActiveSpeech, then: () => void): void {
    if (this.#preparing !== run) return;
    this.#preparing = undefined;
    then();
  }
}

function sameNeeds(a: ActiveSpeech, b: ActiveSpeech): boolean {
  const [one, other] = [a.speech.options, b.speech.options];
  return one.model === other.model && one.mode === other.mode && one.lips === other.lips;
}

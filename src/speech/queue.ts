import { BridgeError, toBridgeError } from '../base/errors.js';
import type { ActiveSpeech } from './active-speech.js';
import type { PlayerContext } from './player-context.js';

/**
 * The speeches up to their first frame. They wait by priority, then in the order in which they came; the first prepares
 * (its sound opens, the agent gets ready, the speeches it is to begin with get as far). One prepares at a time.
 */
export class SpeechQueue {
  readonly #context: Pick<PlayerContext, 'sink' | 'maxQueued' | 'listener'>;
  #waiting: ActiveSpeech[] = [];
  #preparing: ActiveSpeech | undefined;
  /** Reason why nothing begins although it could be its turn. */
  #holdReason: string | undefined;
  /** What the one that prepares waits for. */
  #prepareReason: string | undefined;

  constructor(context: Pick<PlayerContext, 'sink' | 'maxQueued' | 'listener'>) {
    this.#context = context;
  }

  /** The run that prepares, if one does. */
  get preparing(): ActiveSpeech | undefined {
    return this.#preparing;
  }

  /** Those that wait, in order, without the one that prepares. */
  get waiting(): ActiveSpeech[] {
    return [...this.#waiting];
  }

  /** @throws BridgeError QUEUE_FULL when one more would be too many */
  checkRoom(label: string): void {
    if (this.#waiting.length < this.#context.maxQueued) return;
    throw new BridgeError(
      'QUEUE_FULL',
      `${this.#waiting.length} speeches wait already; ${label} was not taken on.`,
    );
  }

  /** Puts one behind all of at least its priority; one that interrupted goes first of all. */
  add(run: ActiveSpeech): void {
    const priority = rank(run);
    const index = this.#waiting.findIndex((other) => rank(other) < priority);
    this.#waiting.splice(index < 0 ? this.#waiting.length : index, 0, run);
  }

  /** Tells those that have not begun why, or no more. */
  hold(reason: string | undefined): void {
    this.#holdReason = reason;
    this.tellReason();
  }

  /** Tells all that have not begun what keeps them, where it is more than their turn. */
  tellReason(): void {
    const reason = this.#holdReason ?? this.#prepareReason;
    this.#preparing?.speech.wait(reason);
    for (const { speech } of this.#waiting) speech.wait(reason);
  }

  /** Puts those at the very front that had their turn and go on later, in order. */
  putBack(runs: readonly ActiveSpeech[]): void {
    this.#waiting.unshift(...runs);
  }

  /** Forgets one. */
  remove(run: ActiveSpeech): void {
    this.#waiting = this.#waiting.filter((other) => other !== run);
    if (this.#preparing === run) this.#leave();
  }

  /**
   * Lets the first have its turn. Call it while none prepares and none's frames leave.
   * @param draining one is still heard: only one that joins it or has interrupted it may prepare, any other opens its sound
   */
  advance(draining: boolean): void {
    const next = this.#waiting[0];
    if (!next) return;
    next.feed.start();
    if (draining && !next.immediate && !next.speech.options.join) return;
    this.#waiting.shift();
    this.#preparing = next;
    next.speech.enter('preparing');
    void this.#prepare(next);
  }

  /**
   * Opens the sound of a speech that joins once all of the one before it has been read: a decoder takes time to start,
   * and asked for at the last frame it would be late.
   * @param feeding the one whose frames leave
   */
  readAhead(feeding: ActiveSpeech | undefined): void {
    const next = this.#waiting[0];
    if (next?.speech.options.join && feeding?.feed.ended) next.feed.start();
  }

  /** The run that goes on in the same segment where `run` ends, if the next one is to and can. */
  joiner(run: ActiveSpeech): ActiveSpeech | undefined {
    const next = this.#waiting[0];
    return next?.speech.options.join && sameNeeds(run, next) ? next : undefined;
  }

  /** A run that joins begins: there is nothing to prepare. */
  join(run: ActiveSpeech): void {
    this.remove(run);
    run.speech.enter('preparing');
  }

  async #prepare(run: ActiveSpeech): Promise<void> {
    const { sink, listener } = this.#context;
    const { speech } = run;
    const { signal } = run.preparing;
    let error: unknown;
    try {
      await sink.prepare(speech.options, signal, (reason) => {
        if (this.#preparing !== run) return;
        this.#prepareReason = reason;
        this.tellReason();
      });
      await speech.options.gate?.arrive(signal);
    } catch (caught) {
      error = caught;
    }
    if (this.#preparing !== run) return;
    this.#leave();
    if (error === undefined) return listener.ready(run);
    const failure = toBridgeError(error, 'INTERNAL', 'Preparing the agent failed');
    listener.ended(run, { how: 'failed', error: failure, heardMs: 0 });
    listener.advance();
  }

  #leave(): void {
    this.#preparing = undefined;
    this.#prepareReason = undefined;
    this.tellReason();
  }
}

function rank(run: ActiveSpeech): number {
  return run.immediate ? Infinity : (run.speech.options.priority ?? 0);
}

function sameNeeds(a: ActiveSpeech, b: ActiveSpeech): boolean {
  const [one, other] = [a.speech.options, b.speech.options];
  return one.model === other.model && one.mode === other.mode && one.lips === other.lips;
}

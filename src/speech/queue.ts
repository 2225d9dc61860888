import { BridgeError, toBridgeError } from '../base/errors.js';
import type { ActiveSpeech } from './active-speech.js';
import type { PlayerContext } from './player-context.js';

/**
 * Holds the speeches before their first frame. They wait by priority, then in order of arrival. The first one
 * prepares: its sound opens, the agent gets ready, and the other speeches of its group arrive. One prepares
 * at a time.
 */
export class SpeechQueue {
  readonly #context: Pick<PlayerContext, 'sink' | 'maxQueued' | 'listener'>;
  #waiting: ActiveSpeech[] = [];
  #preparing: ActiveSpeech | undefined;
  /** Reason why nothing begins. */
  #holdReason: string | undefined;
  /** Reason why the preparing speech waits. */
  #prepareReason: string | undefined;

  constructor(context: Pick<PlayerContext, 'sink' | 'maxQueued' | 'listener'>) {
    this.#context = context;
  }

  /** The run that prepares, if any. */
  get preparing(): ActiveSpeech | undefined {
    return this.#preparing;
  }

  /** The waiting runs in order, without the preparing one. */
  get waiting(): ActiveSpeech[] {
    return [...this.#waiting];
  }

  /** @throws BridgeError QUEUE_FULL when there is no room for another */
  checkRoom(label: string): void {
    if (this.#waiting.length < this.#context.maxQueued) return;
    throw new BridgeError(
      'QUEUE_FULL',
      `${this.#waiting.length} speeches wait already; ${label} was not taken on.`,
    );
  }

  /** Adds a run behind all of at least its priority; a run that interrupted goes first. */
  add(run: ActiveSpeech): void {
    const priority = rank(run);
    const index = this.#waiting.findIndex((other) => rank(other) < priority);
    this.#waiting.splice(index < 0 ? this.#waiting.length : index, 0, run);
  }

  /** Sets or clears the reason why speeches do not begin, and reports it to them. */
  hold(reason: string | undefined): void {
    this.#holdReason = reason;
    this.tellReason();
  }

  /** Reports to all waiting speeches what holds them up, other than their turn. */
  tellReason(): void {
    const reason = this.#holdReason ?? this.#prepareReason;
    this.#preparing?.speech.wait(reason);
    for (const { speech } of this.#waiting) speech.wait(reason);
  }

  /** Puts runs that will resume back at the front, in order. */
  putBack(runs: readonly ActiveSpeech[]): void {
    this.#waiting.unshift(...runs);
  }

  /** Removes a run. */
  remove(run: ActiveSpeech): void {
    this.#waiting = this.#waiting.filter((other) => other !== run);
    if (this.#preparing === run) this.#leave();
  }

  /**
   * Starts the first run. Call it while no run prepares and none feeds.
   * @param draining true while a run is still heard: then only a run that joins or interrupted it may
   * prepare; any other opens its sound
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
   * Opens the sound of a joining speech once the speech before it has been read completely: a decoder takes
   * time to start and would be late at the last frame.
   * @param feeding the run whose frames are sent
   */
  readAhead(feeding: ActiveSpeech | undefined): void {
    const next = this.#waiting[0];
    if (next?.speech.options.join && feeding?.feed.ended) next.feed.start();
  }

  /** Returns the run that continues in the same segment after `run`, if the next one joins and is ready. */
  joiner(run: ActiveSpeech): ActiveSpeech | undefined {
    const next = this.#waiting[0];
    return next?.speech.options.join && sameNeeds(run, next) ? next : undefined;
  }

  /** Starts a joining run, which needs no preparation. */
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

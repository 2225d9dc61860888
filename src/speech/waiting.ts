import { BridgeError } from '../base/errors.js';
import type { ActiveSpeech } from './active-speech.js';

/** The speeches that wait for their turn: by priority, then in the order in which they came. Bounded: one more is refused. */
export class WaitingList {
  readonly #limit: number;
  #runs: ActiveSpeech[] = [];

  /** @param limit how many may wait */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws BridgeError QUEUE_FULL when one more would be over the limit */
  checkRoom(label: string): void {
    if (this.#runs.length < this.#limit) return;
    throw new BridgeError(
      'QUEUE_FULL',
      `${this.#runs.length} speeches wait already; ${label} was not taken on.`,
    );
  }

  /** The one whose turn is next. */
  first(): ActiveSpeech | undefined {
    return this.#runs[0];
  }

  list(): ActiveSpeech[] {
    return [...this.#runs];
  }

  /** Puts one behind all of at least its priority; one that interrupted goes first of all. */
  add(run: ActiveSpeech): void {
    const priority = rank(run);
    const index = this.#runs.findIndex((other) => rank(other) < priority);
    this.#runs.splice(index < 0 ? this.#runs.length : index, 0, run);
  }

  /** Puts one back at the very front: it had its turn and goes on. */
  putBack(run: ActiveSpeech): void {
    this.#runs.unshift(run);
  }

  remove(run: ActiveSpeech): void {
    this.#runs = this.#runs.filter((other) => other !== run);
  }
}

function rank(run: ActiveSpeech): number {
  return run.immediate ? Infinity : (run.speech.options.priority ?? 0);
}

import type { ByteBudget } from '../base/byte-budget.js';
import { BridgeError } from '../base/errors.js';
import { msToSamples } from '../base/units.js';

/** Maximum memory of one speech's waiting cues, in bytes: tens of thousands of usual length. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** Approximate memory of a cue besides its text, in bytes. */
const CUE_BYTES = 64;

/** A text command at a position in the sound, as heard. */
export interface Cue {
  /** Milliseconds from the start of the sound; negative values count from its end. */
  readonly atMs: number;
  /** The command line, without a newline. */
  readonly send: string;
  /** True sends it even when the speech ends before its time. */
  readonly always?: boolean | undefined;
}

/** Callback at a position in the sound, as heard. Timed like a cue, but nothing is sent. */
export interface Notice {
  /** Milliseconds from the start of the sound; negative values count from its end. */
  readonly atMs: number;
  readonly notify: () => void;
}

interface Waiting {
  readonly cue: Cue | Notice;
  /** Samples from the start; undefined for a cue that counts from an end not yet known. */
  atSample: number | undefined;
}

/**
 * Cues of one speech, ordered by time and then by arrival. Pure: it is given the position of the sound and
 * returns the cues that are due.
 */
export class CueList {
  readonly #budget: ByteBudget;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #endSample: number | undefined;

  /** @param budget memory budget of the waiting cues */
  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Number of waiting cues. */
  get size(): number {
    return this.#waiting.length;
  }

  /**
   * Adds a cue. A cue whose time has passed is due at once.
   * @throws BridgeError CUE_LIMIT when too many cues wait
   */
  add(cue: Cue | Notice): void {
    const bytes = bytesOf(cue);
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES)
      throw new BridgeError('CUE_LIMIT', `${this.size} cues of one speech wait already, which is the limit.`);
    if (!this.#budget.tryTake(bytes))
      throw new BridgeError(
        'CUE_LIMIT',
        'The cues and texts that wait take too much memory: wait until some were spoken.',
      );
    this.#waitingBytes += bytes;
    const waiting: Waiting = { cue, atSample: this.#sampleOf(cue) };
    this.#insert(waiting);
  }

  /** Sets the length of the sound, which fixes the times of cues that count from the end. */
  setEnd(endSample: number): void {
    this.#endSample = endSample;
    const fromEnd = this.#waiting.filter(({ atSample }) => atSample === undefined);
    if (fromEnd.length === 0) return;
    this.#waiting = this.#waiting.filter(({ atSample }) => atSample !== undefined);
    for (const waiting of fromEnd) {
      waiting.atSample = this.#sampleOf(waiting.cue);
      this.#insert(waiting);
    }
  }

  /** Sample at which the next cue with a known time is due, if any. */
  get nextSample(): number | undefined {
    return this.#waiting[0]?.atSample;
  }

  /** Removes and returns the cues due when the sound has reached `sample`. */
  takeDue(sample: number): (Cue | Notice)[] {
    let count = 0;
    while (count < this.#waiting.length) {
      const { atSample } = this.#waiting[count]!;
      if (atSample === undefined || atSample > sample) break;
      count += 1;
    }
    return this.#take(count);
  }

  /** Removes and returns all waiting cues. */
  takeAll(): (Cue | Notice)[] {
    return this.#take(this.#waiting.length);
  }

  #take(count: number): (Cue | Notice)[] {
    const cues = this.#waiting.splice(0, count).map(({ cue }) => cue);
    const bytes = cues.reduce((sum, cue) => sum + bytesOf(cue), 0);
    this.#waitingBytes -= bytes;
    this.#budget.give(bytes);
    return cues;
  }

  #sampleOf(cue: Cue | Notice): number | undefined {
    if (cue.atMs >= 0) return msToSamples(cue.atMs);
    return this.#endSample === undefined ? undefined : Math.max(0, this.#endSample + msToSamples(cue.atMs));
  }

  /** Inserts by binary search, so that a list of thousands stays cheap; unknown times come last. */
  #insert(waiting: Waiting): void {
    const at = waiting.atSample ?? Infinity;
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#waiting[middle]!.atSample ?? Infinity) <= at) low = middle + 1;
      else high = middle;
    }
    this.#waiting.splice(low, 0, waiting);
  }
}

function bytesOf(cue: Cue | Notice): number {
  return ('send' in cue ? cue.send.length * 2 : 0) + CUE_BYTES;
}

import type { StreamMark } from './intake.js';

/** A mark whose place in the sound is known. */
export interface HeardMark extends StreamMark {
  /** Where in the sound, in ms. */
  readonly atMs: number;
}

/** The marks of one speech that have not been heard yet, in order. */
export class HeardMarks {
  #waiting: HeardMark[] = [];

  /** How many wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** The place of the next one, in ms of the sound. */
  get nextMs(): number | undefined {
    return this.#waiting[0]?.atMs;
  }

  /** Adds one behind those that wait. */
  add(mark: HeardMark): void {
    this.#waiting.push(mark);
  }

  /** Takes out those that have been heard. @param heardMs heard so far; Infinity when all of it was */
  heard(heardMs: number): HeardMark[] {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.atMs <= heardMs) count += 1;
    return this.#waiting.splice(0, count);
  }
}

import type { StreamMark } from './intake.js';

/** A mark with a known position in the sound. */
export interface HeardMark extends StreamMark {
  /** Position in the sound, in ms. */
  readonly atMs: number;
}

/** Marks of one speech that have not been heard yet, in order. */
export class HeardMarks {
  #waiting: HeardMark[] = [];

  /** Number of waiting marks. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Position of the next mark, in ms of the sound. */
  get nextMs(): number | undefined {
    return this.#waiting[0]?.atMs;
  }

  /** Adds a mark behind the waiting ones. */
  add(mark: HeardMark): void {
    this.#waiting.push(mark);
  }

  /** Removes and returns the marks that have been heard. @param heardMs position heard so far; Infinity for all */
  heard(heardMs: number): HeardMark[] {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.atMs <= heardMs) count += 1;
    return this.#waiting.splice(0, count);
  }
}

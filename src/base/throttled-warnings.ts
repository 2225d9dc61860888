import type { Clock } from './clock.js';

/** A fault that repeats is told so often. */
const EVERY_MS = 10_000;

/**
 * Passes on what goes wrong while a live sound goes on, at most one line every ten seconds: a recorder in trouble
 * prints hundreds, and a reader who is too slow loses sound with each block. What was held back is counted and said.
 */
export class ThrottledWarnings {
  readonly #tellOne: (message: string) => void;
  readonly #clock: Clock;
  #quietUntilMs = -Infinity;
  #heldBack = 0;
  #lastHeldBack = '';
  #dropped = 0;
  #droppedSentence: (() => string) | undefined;

  /** @param tell is handed each line */
  constructor(tell: (message: string) => void, clock: Clock) {
    this.#tellOne = tell;
    this.#clock = clock;
  }

  /** Passes a line on, or counts it. */
  say(message: string): void {
    if (this.#clock.nowMs() >= this.#quietUntilMs) return this.#tell(message);
    this.#heldBack++;
    this.#lastHeldBack = message;
  }

  /**
   * Tells that sound was dropped, or adds it to what will be told.
   * @param droppedMs just now, in milliseconds
   * @param totalMs since the start, in milliseconds
   * @param of whose sound: `the microphone`
   * @param why the end of the sentence
   */
  drop(of: string, droppedMs: number, totalMs: number, why = 'nobody took them in time'): void {
    this.#dropped += droppedMs;
    this.#droppedSentence = () =>
      `${Math.round(this.#dropped)} ms of ${of} were dropped because ${why} ` +
      `(${Math.round(totalMs)} ms since the start).`;
    if (this.#clock.nowMs() >= this.#quietUntilMs) this.#tellDrops();
  }

  /** Tells what was held back. */
  end(): void {
    if (this.#droppedSentence) this.#tellDrops();
    if (this.#heldBack > 0) this.#tell(this.#lastHeldBack);
  }

  #tellDrops(): void {
    const sentence = this.#droppedSentence!();
    this.#droppedSentence = undefined;
    this.#dropped = 0;
    this.#tell(sentence);
  }

  #tell(message: string): void {
    const more = this.#heldBack > 0 ? ` (${this.#heldBack} more like it)` : '';
    this.#heldBack = 0;
    this.#quietUntilMs = this.#clock.nowMs() + EVERY_MS;
    this.#tellOne(message + more);
  }
}

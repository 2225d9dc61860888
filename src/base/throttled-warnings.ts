import type { Clock } from './clock.js';

/** Minimum interval between two warnings, in ms. */
const EVERY_MS = 10_000;

/**
 * Limits warnings during live sound to one line every ten seconds: a failing recorder prints hundreds of
 * lines, and a slow reader loses sound with each block. Suppressed warnings are counted and reported.
 */
export class ThrottledWarnings {
  readonly #tellOne: (message: string) => void;
  readonly #clock: Clock;
  #quietUntilMs = -Infinity;
  #heldBack = 0;
  #lastHeldBack = '';
  #dropped = 0;
  #droppedSentence: (() => string) | undefined;

  /** @param tell called with each line */
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
   * Reports dropped sound, or adds it to the next report.
   * @param droppedMs dropped just now, in milliseconds
   * @param totalMs dropped since the start, in milliseconds
   * @param of source of the sound: `the microphone`
   * @param why reason, as the end of the sentence
   */
  drop(of: string, droppedMs: number, totalMs: number, why = 'nobody took them in time'): void {
    this.#dropped += droppedMs;
    this.#droppedSentence = () =>
      `${Math.round(this.#dropped)} ms of ${of} were dropped because ${why} ` +
      `(${Math.round(totalMs)} ms since the start).`;
    if (this.#clock.nowMs() >= this.#quietUntilMs) this.#tellDrops();
  }

  /** Reports the suppressed warnings. */
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

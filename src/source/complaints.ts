import type { SoundContext } from '../audio/pcm.js';
import type { Clock } from '../base/clock.js';

/** A fault that repeats is told so often. */
const EVERY_MS = 10_000;

/**
 * Passes on what goes wrong while a live sound goes on, at most one line every ten seconds: a recorder in trouble
 * prints hundreds, and a reader who is too slow loses sound with each block. What was held back is counted and said.
 */
export class Complaints {
  readonly #context: SoundContext;
  readonly #clock: Clock;
  #quietUntilMs = -Infinity;
  #heldBack = 0;
  #lastHeldBack = '';
  #droppedMs = 0;
  #droppedSentence: (() => string) | undefined;

  constructor(context: SoundContext, clock: Clock) {
    this.#context = context;
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
   */
  drop(label: string, droppedMs: number, totalMs: number): void {
    this.#droppedMs += droppedMs;
    this.#droppedSentence = () =>
      `${Math.round(this.#droppedMs)} ms of the ${label} were dropped because nobody took them in time ` +
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
    this.#droppedMs = 0;
    this.#tell(sentence);
  }

  #tell(message: string): void {
    const more = this.#heldBack > 0 ? ` (${this.#heldBack} more like it)` : '';
    this.#heldBack = 0;
    this.#quietUntilMs = this.#clock.nowMs() + EVERY_MS;
    this.#context.warn(message + more);
  }
}

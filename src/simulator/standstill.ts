/**
 * Duration of a suspension, in ms, after which data sent 50 ms apart may be read together (protocol.md §1).
 */
const STANDSTILL_MS = 45;
const TURN_EVERY_MS = 10;

/**
 * Detects suspensions of this process, in real time whatever clock an avatar uses. Data that is read late
 * must not count against the sender.
 */
export class Standstill {
  #turnMs = performance.now();
  #endedMs = -Infinity;
  readonly #turns = setInterval(() => this.#turn(), TURN_EVERY_MS);

  /** True during a suspension and shortly after it. */
  get justNow(): boolean {
    // Timers run before reads: after a suspension this turn has run when the late bytes arrive.
    this.#turn();
    return this.#turnMs - this.#endedMs < STANDSTILL_MS;
  }

  /** Ends the watch. */
  close(): void {
    clearInterval(this.#turns);
  }

  #turn(): void {
    const nowMs = performance.now();
    if (nowMs - this.#turnMs > STANDSTILL_MS) this.#endedMs = nowMs;
    this.#turnMs = nowMs;
  }
}

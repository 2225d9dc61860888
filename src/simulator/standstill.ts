/** A process that stood still for so long may find together what was sent 50 ms apart (protocol.md §1), in ms. */
const STANDSTILL_MS = 45;
const TURN_EVERY_MS = 10;

/**
 * Watches whether this process itself stands still, in real time whatever clock an avatar lives by. What a late reader
 * sees must not be held against the sender.
 */
export class Standstill {
  #turnMs = performance.now();
  #endedMs = -Infinity;
  readonly #turns = setInterval(() => this.#turn(), TURN_EVERY_MS);

  /** True when it stands still, or did a moment ago. */
  get justNow(): boolean {
    // Timers come before what is read: after a standstill the turn has been made when the late bytes come.
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

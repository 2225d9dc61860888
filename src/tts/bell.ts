/** Wakes one waiter. A ring while nobody waits is kept for the next wait, so none is missed. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  /** Wakes the waiter, or the next one. */
  ring(): void {
    if (this.#wake) this.#wake();
    else this.#rung = true;
  }

  /** Waits for a ring. One waiter at a time. */
  async wait(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}

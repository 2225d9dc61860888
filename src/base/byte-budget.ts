/**
 * Memory budget in bytes for what callers make this process hold. All callers share one, which bounds the
 * process.
 */
export class ByteBudget {
  readonly maxBytes: number;
  #takenBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** Takes `bytes`. @returns false when the rest is too small; then nothing is taken */
  tryTake(bytes: number): boolean {
    if (this.#takenBytes + bytes > this.maxBytes) return false;
    this.#takenBytes += bytes;
    return true;
  }

  /** Returns bytes that were taken. */
  give(bytes: number): void {
    this.#takenBytes -= bytes;
  }
}

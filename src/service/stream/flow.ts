/** The bounds of what one client may have sent and nobody has taken yet, in bytes. */
export interface FlowBounds {
  /** From here on the client is asked to wait. */
  readonly pauseBytes: number;
  /** From here on it is not read any more. */
  readonly shutBytes: number;
}

/** Told when the flow is to change. */
export interface FlowListener {
  /** Ask the client to wait (true), or to go on (false). */
  pause(paused: boolean): void;
  /** Stop reading from it (true), or read again (false). */
  shut(shut: boolean): void;
}

/**
 * Holds a sender back in two steps. First it is asked to wait, and is still read, so that its words (an interruption
 * above all) come through. One that goes on all the same is read no more, and TCP holds it.
 */
export class Flow {
  readonly #bounds: FlowBounds;
  readonly #listener: FlowListener;
  #heldBytes = 0;
  #paused = false;
  #shut = false;

  constructor(bounds: FlowBounds, listener: FlowListener) {
    this.#bounds = bounds;
    this.#listener = listener;
  }

  /** What was sent and not taken yet, in bytes. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** So much came in (above 0) or was taken (below 0). */
  add(bytes: number): void {
    this.#heldBytes += bytes;
    const { pauseBytes, shutBytes } = this.#bounds;
    // Far enough apart that it does not flutter: on again at half.
    if (!this.#paused && this.#heldBytes >= pauseBytes) {
      this.#paused = true;
      this.#listener.pause(true);
    }
    if (!this.#shut && this.#heldBytes >= shutBytes) {
      this.#shut = true;
      this.#listener.shut(true);
    }
    if (this.#shut && this.#heldBytes <= pauseBytes) {
      this.#shut = false;
      this.#listener.shut(false);
    }
    if (this.#paused && this.#heldBytes <= pauseBytes / 2) {
      this.#paused = false;
      this.#listener.pause(false);
    }
  }
}

/** Limits of one client's data that nobody has taken yet, in bytes. */
export interface FlowBounds {
  /** Bytes at which the client is asked to wait. */
  readonly pauseBytes: number;
  /** Bytes at which the client is no longer read. */
  readonly shutBytes: number;
}

/** Callbacks of the flow control. */
export interface FlowListener {
  /** Asks the client to wait (true), or to continue (false). */
  pause(paused: boolean): void;
  /** Stops reading from the client (true), or reads again (false). */
  shut(shut: boolean): void;
}

/**
 * Flow control of a client in two steps. First it is asked to wait, and is still read, so that its text messages
 * (especially an interruption) arrive. If it continues to send, it is no longer read, and TCP stops it.
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

  /** Bytes received and not taken yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Adds received bytes (above 0) or removes taken ones (below 0). */
  add(bytes: number): void {
    this.#heldBytes += bytes;
    const { pauseBytes, shutBytes } = this.#bounds;
    // Continue only at half the limit, so that it does not toggle quickly.
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

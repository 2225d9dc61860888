import { guessFrame } from './client-frame.js';

/** More than this and there is no message in it: the longest frame has 2,055 bytes. */
const MAX_BUFFERED_BYTES = 16_384;

/**
 * Finds the next message in the bytes of an avatar when their beginning is unknown: a process that ended has read, and
 * taken with it, any part of a message. Pure: bytes in, and once it is in step, all bytes from the next message on.
 *
 * The first place counts from which whole frames follow each other to the end of the bytes, but for one unfinished frame.
 */
export class Resynchroniser {
  #data: Uint8Array = new Uint8Array(0);
  #skippedBytes = 0;

  /** Bytes that were passed over, as parts of a message whose beginning is lost. */
  get skippedBytes(): number {
    return this.#skippedBytes;
  }

  /**
   * @param chunk the next bytes, in any chunking
   * @returns all bytes from the first message on, once it is found; nothing is kept after that
   */
  push(chunk: Uint8Array): Buffer | undefined {
    this.#data = this.#data.length === 0 ? chunk : Buffer.concat([this.#data, chunk]);
    for (let at = 0; at < this.#data.length; at += 1) {
      if (!this.#chains(at)) continue;
      const rest = Buffer.from(this.#data.subarray(at));
      this.#skip(this.#data.length);
      this.#skippedBytes -= rest.length;
      return rest;
    }
    if (this.#data.length > MAX_BUFFERED_BYTES) this.#skip(this.#data.length - MAX_BUFFERED_BYTES / 2);
    return undefined;
  }

  #chains(at: number): boolean {
    let frames = 0;
    for (let next = at; next < this.#data.length;) {
      const guess = guessFrame(this.#data, next);
      if (guess === 'none') return false;
      if (guess === 'unfinished') break;
      frames += 1;
      next = guess.end;
    }
    return frames > 0;
  }

  #skip(bytes: number): void {
    this.#skippedBytes += bytes;
    this.#data = new Uint8Array(this.#data.subarray(bytes));
  }
}

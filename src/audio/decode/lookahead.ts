import type { EncodedChunk } from '../pcm.js';

/**
 * A stream of bytes whose start can be examined before it is read. Examined bytes are still delivered, once.
 * Closing it, or ending its iteration early, frees the source.
 */
export class Lookahead implements AsyncIterable<EncodedChunk> {
  readonly #source: AsyncIterator<EncodedChunk>;
  #held: EncodedChunk = new Uint8Array(0);
  #ended = false;

  constructor(chunks: AsyncIterable<EncodedChunk>) {
    this.#source = chunks[Symbol.asyncIterator]();
  }

  /** Bytes that were examined and not yet taken. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /**
   * Returns the next `bytes` bytes without taking them; fewer when the stream ends before.
   * @throws the source's error
   */
  async peek(bytes: number): Promise<EncodedChunk> {
    if (this.#held.length < bytes && !this.#ended) {
      const parts = [this.#held];
      let length = this.#held.length;
      for (let chunk = await this.#pull(); chunk; chunk = length < bytes ? await this.#pull() : undefined) {
        parts.push(chunk);
        length += chunk.length;
      }
      this.#held = Buffer.concat(parts, length);
    }
    return this.#held.subarray(0, bytes);
  }

  /** Skips `bytes` bytes; fewer when the stream ends before. */
  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0;) {
      const chunk = await this.take(left);
      if (!chunk) return;
      left -= chunk.length;
    }
  }

  /** Returns the next chunk, of 1 to `maxBytes` bytes, or undefined at the end. */
  async take(maxBytes = Infinity): Promise<EncodedChunk | undefined> {
    while (this.#held.length === 0) {
      if (this.#ended) return undefined;
      this.#held = (await this.#pull()) ?? this.#held;
    }
    const chunk = this.#held.subarray(0, maxBytes);
    this.#held = this.#held.subarray(chunk.length);
    return chunk;
  }

  /** Puts bytes back in front. */
  unread(bytes: EncodedChunk): void {
    this.#held = this.#held.length > 0 ? Buffer.concat([bytes, this.#held]) : bytes;
  }

  /** Frees the source. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#source.return?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<EncodedChunk, void, undefined> {
    try {
      for (let chunk = await this.take(); chunk; chunk = await this.take()) yield chunk;
    } finally {
      await this.close();
    }
  }

  async #pull(): Promise<EncodedChunk | undefined> {
    const next = await this.#source.next();
    if (!next.done) return next.value;
    this.#ended = true;
    return undefined;
  }
}

/**
 * Splits a chunk into pieces of at most `maxBytes`: decoding at once blocks the event loop, and with it every
 * other avatar.
 */
export function* slices(chunk: EncodedChunk, maxBytes: number): Generator<EncodedChunk, void, undefined> {
  for (let at = 0; at < chunk.length; at += maxBytes) yield chunk.subarray(at, at + maxBytes);
}

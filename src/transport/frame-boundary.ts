/**
 * Tracks the frames of RFC 6455 §5.2 in the bytes of a socket, to know whether the last byte ended one: only there can a
 * connection change its process without tearing a message.
 */
export class FrameBoundary {
  readonly #head = new Uint8Array(14);
  #headBytes = 0;
  #payloadLeft = 0;
  #known: boolean;

  /** @param known true when the first byte begins a frame; else the boundary is unknown until such bytes are pushed */
  constructor(known: boolean) {
    this.#known = known;
  }

  /** True when the last byte so far ended a frame. */
  get clean(): boolean {
    return this.#known && this.#headBytes === 0 && this.#payloadLeft === 0;
  }

  /** Takes the next bytes, in any chunking. */
  push(chunk: Uint8Array): void {
    this.#known = true;
    for (let at = 0; at < chunk.length;) {
      const skipped = Math.min(this.#payloadLeft, chunk.length - at);
      this.#payloadLeft -= skipped;
      at += skipped;
      if (at === chunk.length) return;
      this.#head[this.#headBytes] = chunk[at]!;
      this.#headBytes += 1;
      at += 1;
      this.#endHead();
    }
  }

  #endHead(): void {
    if (this.#headBytes < 2) return;
    const short = this.#head[1]! & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (this.#headBytes < 2 + lengthBytes + (this.#head[1]! & 0x80 ? 4 : 0)) return;
    this.#headBytes = 0;
    this.#payloadLeft = short;
    for (let i = 0; i < lengthBytes; i += 1) {
      this.#payloadLeft = (i === 0 ? 0 : this.#payloadLeft * 256) + this.#head[2 + i]!;
    }
  }
}

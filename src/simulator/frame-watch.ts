/** State of the watch after the bytes so far. */
export interface FrameWatchState {
  /** True when the last byte is inside a frame. */
  readonly insideFrame: boolean;
  /** Number of frames whose head has arrived. */
  readonly frames: number;
  /** Continuation frames among them. */
  readonly continuations: number;
  /** CLOSE frames among them. */
  readonly closes: number;
}

/**
 * Tracks the frames of RFC 6455 §5.2 in a raw byte stream without reading their payload. Only the bytes of
 * the socket show that a frame came in two parts, which ends the avatar (protocol.md §2).
 */
export class FrameWatch implements FrameWatchState {
  frames = 0;
  continuations = 0;
  closes = 0;
  readonly #head = new Uint8Array(14);
  #headBytes = 0;
  #payloadLeft = 0;

  get insideFrame(): boolean {
    return this.#headBytes > 0 || this.#payloadLeft > 0;
  }

  /** Takes the next bytes of the socket, in any chunking. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= skipped;
        at += skipped;
        continue;
      }
      this.#head[this.#headBytes++] = chunk[at++]!;
      if (this.#headBytes < this.#headLength()) continue;
      this.frames++;
      const opcode = this.#head[0]! & 0x0f;
      if (opcode === 0x0) this.continuations++;
      if (opcode === 0x8) this.closes++;
      this.#payloadLeft = this.#payloadLength();
      this.#headBytes = 0;
    }
  }

  #headLength(): number {
    if (this.#headBytes < 2) return 2;
    const second = this.#head[1]!;
    const length = second & 0x7f;
    return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second & 0x80 ? 4 : 0);
  }

  #payloadLength(): number {
    const view = new DataView(this.#head.buffer);
    const length = this.#head[1]! & 0x7f;
    if (length === 126) return view.getUint16(2);
    return length === 127 ? Number(view.getBigUint64(2)) : length;
  }
}

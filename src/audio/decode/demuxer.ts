import type { Transform } from 'node:stream';

/**
 * One of prism-media's demuxers, step by step: bytes in, the packets in them out of the same call. (They work as they
 * are written to; only their errors come later.)
 */
export class Demuxer {
  readonly #stream: Transform;

  constructor(stream: Transform) {
    this.#stream = stream;
    // It would be an uncaught exception; `push` throws it instead.
    stream.on('error', () => undefined);
  }

  /** @throws what the demuxer objects to; it is then of no more use */
  push(bytes: Uint8Array): Uint8Array[] {
    const packets: Uint8Array[] = [];
    this.#stream.write(bytes);
    for (;;) {
      const packet = this.#stream.read() as Uint8Array | null;
      if (packet === null) break;
      packets.push(packet);
    }
    if (this.#stream.errored) throw this.#stream.errored;
    return packets;
  }

  close(): void {
    this.#stream.destroy();
  }
}

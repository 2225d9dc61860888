import type { Transform } from 'node:stream';
import { BridgeError } from '../../base/errors.js';

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

  /** @throws BridgeError INTERNAL: whoever feeds it gives it nothing that it could object to */
  push(bytes: Uint8Array): Uint8Array[] {
    const packets: Uint8Array[] = [];
    this.#stream.write(bytes);
    for (;;) {
      const packet = this.#stream.read() as Uint8Array | null;
      if (packet === null) break;
      packets.push(packet);
    }
    const { errored } = this.#stream;
    if (errored)
      throw new BridgeError('INTERNAL', `The demuxer broke: ${errored.message}.`, { cause: errored });
    return packets;
  }

  close(): void {
    this.#stream.destroy();
  }
}

import type { Transform } from 'node:stream';
import { BridgeError } from '../../base/errors.js';

/**
 * Synchronous wrapper of a prism-media demuxer: `push` takes bytes and returns their packets. (The demuxers
 * work synchronously; only their errors are emitted later.)
 */
export class Demuxer {
  readonly #stream: Transform;

  constructor(stream: Transform) {
    this.#stream = stream;
    // Without a listener the error would be an uncaught exception; `push` throws it instead.
    stream.on('error', () => undefined);
  }

  /** @throws BridgeError INTERNAL; does not happen with the input that the callers pass */
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

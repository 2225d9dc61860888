/**
 * Bytes of 16-bit little-endian sound, cut anywhere, to samples. Copies, because bytes from a pipe may lie at an odd
 * address and their memory may be used again.
 */
export class SampleReader {
  #odd: number | undefined;

  /** @returns the samples that are whole; a half one waits for its other byte */
  push(bytes: Uint8Array): Int16Array {
    const offset = this.#odd === undefined ? 0 : 1;
    const count = (bytes.length + offset) >> 1;
    const samples = new Int16Array(count);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    if (this.#odd !== undefined && bytes.length > 0) samples[at++] = this.#odd | (bytes[0]! << 8);
    for (; at < count; at++) samples[at] = view.getInt16(at * 2 - offset, true);
    if (bytes.length > 0) this.#odd = (bytes.length + offset) % 2 === 1 ? bytes[bytes.length - 1] : undefined;
    return samples;
  }
}

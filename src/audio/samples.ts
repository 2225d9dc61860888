import { INT16_SCALE } from './downmix.js';
import type { PcmBlock } from './pcm.js';

/** Encoding of a sample: sign or kind, bits, byte order. */
export type Encoding =
  | 'u8'
  | 's16le'
  | 's16be'
  | 's24le'
  | 's24be'
  | 's32le'
  | 's32be'
  | 'f32le'
  | 'f32be'
  | 'f64le'
  | 'f64be'
  | 'alaw'
  | 'mulaw';

/** Returns the bytes of one sample in an encoding. */
export function bytesPerSample(encoding: Encoding): number {
  if (encoding === 'u8' || encoding === 'alaw' || encoding === 'mulaw') return 1;
  return Number(encoding.slice(1, 3)) / 8;
}

/**
 * Converts bytes of headerless samples, in any chunks, to blocks. Holds back less than one frame. 16-bit
 * samples stay integers; others become floats.
 */
export class SampleReader {
  readonly frameBytes: number;
  readonly #encoding: Encoding;
  readonly #channels: number;
  readonly #sampleRateHz: number;
  readonly #channelMask: number | undefined;
  readonly #partial: Uint8Array;
  #held = 0;

  /**
   * @param channels interleaved, 1 or more
   * @param channelMask see `PcmBlock`
   */
  constructor(encoding: Encoding, sampleRateHz: number, channels: number, channelMask?: number) {
    this.#encoding = encoding;
    this.#sampleRateHz = sampleRateHz;
    this.#channels = channels;
    this.#channelMask = channelMask;
    this.frameBytes = bytesPerSample(encoding) * channels;
    this.#partial = new Uint8Array(this.frameBytes);
  }

  /** Bytes that wait for the rest of their frame. */
  get heldBytes(): number {
    return this.#held;
  }

  /**
   * Adds bytes, which are copied.
   * @returns the frames that are now complete, or undefined without any
   */
  push(bytes: Uint8Array): PcmBlock | undefined {
    const frames = Math.floor((this.#held + bytes.length) / this.frameBytes);
    if (frames === 0) {
      this.#partial.set(bytes, this.#held);
      this.#held += bytes.length;
      return undefined;
    }
    const isInt16 = this.#encoding === 's16le' || this.#encoding === 's16be';
    const count = frames * this.#channels;
    const samples = isInt16 ? new Int16Array(count) : new Float32Array(count);
    let from = 0;
    let at = 0;
    if (this.#held > 0) {
      from = this.frameBytes - this.#held;
      this.#partial.set(bytes.subarray(0, from), this.#held);
      read(this.#encoding, this.#partial, samples, 0);
      at = this.#channels;
    }
    const end = from + (count - at) * (this.frameBytes / this.#channels);
    read(this.#encoding, bytes.subarray(from, end), samples, at);
    this.#partial.set(bytes.subarray(end));
    this.#held = bytes.length - end;
    const [sampleRateHz, channels, channelMask] = [this.#sampleRateHz, this.#channels, this.#channelMask];
    return { samples, sampleRateHz, channels, ...(channelMask === undefined ? {} : { channelMask }) };
  }
}

const HOST_IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Reads the whole samples in `bytes` into `out` from index `at` on. */
function read(encoding: Encoding, bytes: Uint8Array, out: Int16Array | Float32Array, at: number): void {
  switch (encoding) {
    case 's16le':
    case 's16be':
    case 'f32le':
    case 'f32be':
      return copyNative(bytes, out, at, HOST_IS_LITTLE === encoding.endsWith('le'));
    case 'u8':
      for (let i = 0; i < bytes.length; i++) out[at + i] = (bytes[i]! - 128) / 128;
      return;
    case 'alaw':
    case 'mulaw': {
      const table = encoding === 'alaw' ? A_LAW : MU_LAW;
      for (let i = 0; i < bytes.length; i++) out[at + i] = table[bytes[i]!]!;
      return;
    }
    case 's24le':
    case 's24be': {
      const [high, low] = encoding === 's24le' ? [2, 0] : [0, 2];
      for (let i = 0; i < bytes.length; i += 3, at++)
        // Placed in the top of 32 bits, so that the sign is extended.
        out[at] = ((bytes[i + high]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + low]! << 8)) / 2 ** 31;
      return;
    }
    default: {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const little = encoding.endsWith('le');
      if (encoding === 's32le' || encoding === 's32be')
        for (let i = 0; i < bytes.length; i += 4, at++) out[at] = view.getInt32(i, little) / 2 ** 31;
      else for (let i = 0; i < bytes.length; i += 8, at++) out[at] = view.getFloat64(i, little);
    }
  }
}

/** Copies samples that have the memory's format, except for the byte order. */
function copyNative(bytes: Uint8Array, out: Int16Array | Float32Array, at: number, sameOrder: boolean): void {
  const target = Buffer.from(out.buffer, out.byteOffset + at * out.BYTES_PER_ELEMENT, bytes.length);
  target.set(bytes);
  if (sameOrder) return;
  if (out.BYTES_PER_ELEMENT === 2) target.swap16();
  else target.swap32();
}

/** Float values of all A-law bytes (ITU-T G.711). */
const A_LAW = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = byte ^ 0x55;
  const exponent = (code >> 4) & 7;
  const step = ((code & 15) << 4) + 8;
  const magnitude = exponent === 0 ? step : (step + 0x100) << (exponent - 1);
  return (code & 0x80 ? magnitude : -magnitude) / INT16_SCALE;
});

/** Float values of all mu-law bytes (ITU-T G.711). */
const MU_LAW = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 15) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return (code & 0x80 ? -magnitude : magnitude) / INT16_SCALE;
});

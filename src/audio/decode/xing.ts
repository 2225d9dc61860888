import type { MpegHeader } from './mpeg-header.js';

/** Content of the silent first frame of an MP3 stream (tags of Xing, LAME and Fraunhofer). */
export interface XingTag {
  /** Number of sound frames that follow, if stated. */
  readonly frames?: number;
  /** Samples added by the encoder, to drop at the start and at the end. */
  readonly dropStart: number;
  readonly dropEnd: number;
}

/** Delay of every layer III decoder, in samples. */
const DECODER_DELAY = 529;

/** Encoders whose delay fields can be trusted. */
const WITH_DELAYS = /^(LAME|Lavf|Lavc)/;

/**
 * Reads the tag of a layer III frame.
 * @param frame the whole frame
 * @returns undefined when it is a frame of sound
 */
export function parseXing(frame: Uint8Array, header: MpegHeader): XingTag | undefined {
  if (header.layer !== 3) return undefined;
  const text = (at: number, length: number): string =>
    String.fromCharCode(...frame.subarray(at, at + length));
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length >= 36 + 18 && text(36, 4) === 'VBRI')
    return { frames: view.getUint32(36 + 14), dropStart: 0, dropEnd: 0 };
  const magic = text(header.tagOffset, 4);
  if ((magic !== 'Xing' && magic !== 'Info') || frame.length < header.tagOffset + 8) return undefined;
  const flags = view.getUint32(header.tagOffset + 4);
  let at = header.tagOffset + 8;
  const frames = flags & 1 && at + 4 <= frame.length ? view.getUint32(at) : 0;
  for (const [flag, bytes] of [
    [1, 4],
    [2, 4],
    [4, 100],
    [8, 4],
  ] as const)
    if (flags & flag) at += bytes;
  let [dropStart, dropEnd] = [0, 0];
  if (at + 24 <= frame.length && WITH_DELAYS.test(text(at, 4))) {
    const delays = (frame[at + 21]! << 16) | (frame[at + 22]! << 8) | frame[at + 23]!;
    dropStart = (delays >> 12) + DECODER_DELAY;
    dropEnd = Math.max(0, (delays & 0xfff) - DECODER_DELAY);
  }
  return { ...(frames > 0 && { frames }), dropStart, dropEnd };
}

import type { EncodedChunk } from '../pcm.js';

/**
 * A chunk in pieces that are no larger than told: what is decoded in one go holds the event loop up, and with it every
 * other avatar.
 */
export function* slices(chunk: EncodedChunk, maxBytes: number): Generator<EncodedChunk, void, undefined> {
  for (let at = 0; at < chunk.length; at += maxBytes) yield chunk.subarray(at, at + maxBytes);
}

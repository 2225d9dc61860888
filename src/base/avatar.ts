/*
 * What the avatar does with what it is sent, as measured on the real program (protocol.md §1 and §4). The simulator has
 * figures of its own: it shares nothing with those who speak to it.
 */

/** Wait this long after the connection was made before the first send, in ms: what comes with the 101 is not read (§1). */
export const FIRST_SEND_DELAY_MS = 50;

/** The avatar plays blocks of this many samples; what is left over is not played (§4). */
export const BLOCK_SAMPLES = 256;

/** A frame's sound is heard 37 to 58 ms after it was sent with nothing queued before it (§4): the middle, in ms. */
export const START_LATENCY_MS = 48;

/** Sound ends 50 to 90 ms after the avatar's buffer ran out by our clock (§4): the far end, in ms. */
export const TAIL_MS = 90;

/**
 * A mouth that is moved by lip-sync commands leads the loudness of the sound by so much when each command acts with its
 * sample, in ms: the best correlation, measured over whole sentences (§8). Commands are sent so much later.
 */
export const LIP_LEAD_MS = 60;

/**
 * Samples of silence that complete the last block of a segment (§4).
 * @param segmentSamples sent since the last segment end
 * @returns 0 to 255
 */
export function paddingSamples(segmentSamples: number): number {
  return (BLOCK_SAMPLES - (segmentSamples % BLOCK_SAMPLES)) % BLOCK_SAMPLES;
}

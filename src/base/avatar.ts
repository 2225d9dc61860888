/*
 * Timing of the avatar, as measured on the real program (protocol.md §1 and §4). The simulator has its own
 * figures: it shares no code with the programs that it tests.
 */

/**
 * Delay between the connection and the first send, in ms: the avatar does not read what comes with the 101
 * (§1).
 */
export const FIRST_SEND_DELAY_MS = 50;

/** Samples in a block of the avatar. A remainder is not played (§4). */
export const BLOCK_SAMPLES = 256;

/**
 * Latency from sending a frame into an empty queue to hearing it, in ms: measured 37 to 58, the middle (§4).
 */
export const START_LATENCY_MS = 48;

/** Upper bound of the time from the end of the avatar's buffer to silence, in ms: measured 50 to 90 (§4). */
export const TAIL_MS = 90;

/**
 * Delay of lip-sync commands against their sample, in ms. Without it, lips moved by commands lead the
 * loudness of the sound by this much: best correlation over whole sentences (§8).
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

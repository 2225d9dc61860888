import { Outline, STEP_MS } from './outline.js';

/** Sample rate of a preview, in Hz: enough to show speech at little cost. */
const RATE_HZ = 8000;
/** Maximum file sizes, in bytes. The browser decodes a file whole; compressed sound grows to many times its size. */
const MAX_PLAIN_BYTES = 32e6;
const MAX_PACKED_BYTES = 2e6;

/**
 * Returns the outline of a file of this page before it is spoken.
 * @param {File} file
 * @returns {Promise<Outline | undefined>} undefined for a large file, or one that the browser cannot decode: the service
 * supports more formats, and sends the outline while it speaks
 */
export async function outlineOf(file) {
  if (file.size > (/\.wav$/i.test(file.name) ? MAX_PLAIN_BYTES : MAX_PACKED_BYTES)) return undefined;
  try {
    const context = new OfflineAudioContext(1, 1, RATE_HZ);
    const sound = await context.decodeAudioData(await file.arrayBuffer());
    const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
    const outline = new Outline();
    outline.add(0, STEP_MS, peaksOf(channels, sound.length));
    return outline;
  } catch {
    return undefined;
  }
}

/**
 * @param {Float32Array[]} channels
 * @param {number} length
 */
function peaksOf(channels, length) {
  const stepSamples = (RATE_HZ * STEP_MS) / 1000;
  const peaks = new Array(Math.ceil(length / stepSamples)).fill(0);
  for (let at = 0; at < length; at++) {
    let sum = 0;
    for (const samples of channels) sum += samples[at] ?? 0;
    const peak = Math.min(255, Math.round((Math.abs(sum) / channels.length) * 255));
    const step = Math.floor(at / stepSamples);
    if (peak > peaks[step]) peaks[step] = peak;
  }
  return peaks;
}

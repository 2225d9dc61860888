import { Outline, STEP_MS } from './outline.js';

/** Samples a second in which a preview is made: enough to see a voice, and light. */
const RATE_HZ = 8000;
/** The browser decodes a file whole: of WAV as it stands, of packed sound at many times its size, in bytes. */
const MAX_PLAIN_BYTES = 32e6;
const MAX_PACKED_BYTES = 2e6;

/**
 * The outline of a file that this page sends, before any of it is spoken.
 * @param {File} file
 * @returns {Promise<Outline | undefined>} nothing of a large file, or of one that the browser cannot read: the service
 * reads more, and tells the outline as it speaks
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

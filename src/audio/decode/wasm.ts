/**
 * Runs a decoder that writes its warnings straight to the console, and discards them. They are also returned
 * as errors, and a library must not write to its host's terminal. The call is synchronous, so no other output
 * is lost.
 */
export function quietly<T>(decode: () => T): T {
  /* eslint-disable no-console -- put back as it was */
  const error = console.error;
  console.error = () => undefined;
  try {
    return decode();
  } finally {
    console.error = error;
    /* eslint-enable no-console */
  }
}

/**
 * Interleaves the planes of several channels.
 * @param planes of the same length each
 * @param channels number of planes to take
 * @param from the first frame to take
 * @param to the frame after the last one
 */
export function interleave(
  planes: readonly Float32Array[],
  channels: number,
  from: number,
  to: number,
): Float32Array {
  if (channels === 1) return planes[0]!.slice(from, to);
  const out = new Float32Array((to - from) * channels);
  for (let channel = 0; channel < channels; channel++) {
    const plane = planes[channel]!;
    for (let i = from, at = channel; i < to; i++, at += channels) out[at] = plane[i]!;
  }
  return out;
}

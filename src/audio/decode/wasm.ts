/**
 * Runs a decoder that writes its throttled straight to the console. They come back as errors as well, and a library
 * must not write to the terminal of the program that it is part of. The call is synchronous, so nobody else's words
 * are lost.
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
 * One array a channel to one array for all.
 * @param planes of the same length each
 * @param channels how many of them to take
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

/**
 * A copy of `samples` that falls to silence along half a cosine: a cut without a click.
 * @param samples 16-bit mono
 */
export function fadeOut(samples: Int16Array): Int16Array {
  const faded = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i += 1) {
    faded[i] = Math.round(samples[i]! * 0.5 * (1 + Math.cos((Math.PI * (i + 1)) / samples.length)));
  }
  return faded;
}

/**
 * A copy of `samples` that rises from silence along half a cosine.
 * @param samples 16-bit mono
 */
export function fadeIn(samples: Int16Array): Int16Array {
  const risen = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i += 1) {
    risen[i] = Math.round(samples[i]! * 0.5 * (1 - Math.cos((Math.PI * (i + 1)) / samples.length)));
  }
  return risen;
}

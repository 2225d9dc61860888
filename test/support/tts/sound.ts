/** A sine of the given length as interleaved 16-bit samples, at half scale. */
export function tone(ms: number, sampleRateHz = 24_000, channels = 1, frequencyHz = 220): Int16Array {
  const frames = Math.round((ms * sampleRateHz) / 1000);
  const samples = new Int16Array(frames * channels);
  for (let i = 0; i < frames; i++) {
    const value = Math.round(16_384 * Math.sin((2 * Math.PI * frequencyHz * i) / sampleRateHz));
    samples.fill(value, i * channels, (i + 1) * channels);
  }
  return samples;
}

/** How long a stand-in speaks for a text: 60 ms a character, at least 100. */
export function speechMs(text: string): number {
  return Math.max(100, 60 * Array.from(text.trim()).length);
}

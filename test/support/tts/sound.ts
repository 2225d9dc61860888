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

/** Samples as the bytes of s16le. */
export function bytesOf(samples: Int16Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}

/**
 * A WAV file of 16-bit samples.
 * @param lengths `unknown` writes the lengths as a server does that does not know them yet
 */
export function wavOf(
  samples: Int16Array,
  sampleRateHz = 24_000,
  channels = 1,
  lengths: 'true' | 'unknown' = 'true',
): Buffer {
  const data = bytesOf(samples);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(lengths === 'true' ? 36 + data.length : 0xffff_ffff, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(sampleRateHz, 24);
  head.writeUInt32LE(sampleRateHz * channels * 2, 28);
  head.writeUInt16LE(channels * 2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(lengths === 'true' ? data.length : 0xffff_ffff, 40);
  return Buffer.concat([head, data]);
}

/** How long a stand-in speaks for a text: 60 ms a character, at least 100. */
export function speechMs(text: string): number {
  return Math.max(100, 60 * Array.from(text.trim()).length);
}

/** A 16-bit mono WAV of samples. */
export function wavOf(samples: Int16Array, sampleRateHz: number): Buffer {
  return Buffer.concat([
    wavHead(samples.byteLength, sampleRateHz, 1),
    Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength),
  ]);
}

/** The head of a 16-bit WAV. */
export function wavHead(dataBytes: number, sampleRateHz: number, channels: number): Buffer {
  const head = Buffer.alloc(44);
  head.write('RIFF');
  head.writeUInt32LE(36 + dataBytes, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(sampleRateHz, 24);
  head.writeUInt32LE(sampleRateHz * channels * 2, 28);
  head.writeUInt16LE(channels * 2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(dataBytes, 40);
  return head;
}

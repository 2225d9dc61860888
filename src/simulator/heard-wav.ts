import { writeFile } from 'node:fs/promises';
import wav from 'wav';
import { BridgeError } from '../base/errors.js';
import { SAMPLE_RATE_HZ } from '../base/units.js';

/**
 * Returns samples as the bytes of a WAV file.
 * @param samples 16 kHz mono
 */
export function wavBytes(samples: Int16Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const writer = new wav.Writer({ channels: 1, sampleRate: SAMPLE_RATE_HZ, bitDepth: 16 });
    const chunks: Buffer[] = [];
    let header: Buffer | undefined;
    // The writer knows the length only at its end, and then emits the final header.
    writer.on('header', (final: Buffer) => (header = final));
    writer.on('data', (chunk: Buffer) => chunks.push(chunk));
    writer.on('error', reject);
    writer.on('end', () => {
      const file = Buffer.concat(chunks);
      header?.copy(file);
      resolve(file);
    });
    writer.end(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength));
  });
}

/**
 * Writes samples to a WAV file.
 * @param samples 16 kHz mono
 * @throws BridgeError FILE_UNWRITABLE
 */
export async function saveWav(path: string, samples: Int16Array): Promise<void> {
  const bytes = await wavBytes(samples);
  try {
    await writeFile(path, bytes);
  } catch (error) {
    throw new BridgeError('FILE_UNWRITABLE', `${path} could not be written: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

import { isMadeUp } from '../audio/decode/wav.js';
import type { SynthesisPart } from './engine.js';
import type { HttpClient } from './http-client.js';

/** Tolerance in bytes: writers disagree on whether a pad byte or a last chunk's header counts. */
const TOLERANCE_BYTES = 8;
const HEAD_BYTES = 8;

/**
 * Passes a reply's sound on and compares a WAV file with the length in its header (RIFF, bytes 4 to 7), so
 * that a truncated utterance is not taken for a short one. Other formats, and WAV files of unknown length,
 * pass unchanged.
 * @throws BridgeError ENGINE_FAILED at the end when bytes are missing, and the errors of `chunks`
 */
export async function* wavParts(
  chunks: AsyncIterable<Uint8Array>,
  client: HttpClient,
): AsyncGenerator<SynthesisPart, void, undefined> {
  const head = Buffer.alloc(HEAD_BYTES);
  let received = 0;
  for await (const bytes of chunks) {
    if (received < HEAD_BYTES) head.set(bytes.subarray(0, HEAD_BYTES - received), received);
    received += bytes.length;
    yield { kind: 'audio', bytes };
  }
  if (received < HEAD_BYTES || head.toString('latin1', 0, 4) !== 'RIFF') return;
  const size = head.readUInt32LE(4);
  const stated = size + HEAD_BYTES;
  if (!isMadeUp(size, received) && received + TOLERANCE_BYTES < stated) {
    throw client.error('ENGINE_FAILED', `cut its sound off: ${received} of ${stated} bytes came.`);
  }
}

import { WavRecording } from '../audio/save.js';
import { printable } from './terminal.js';
import type { CliContext } from './command.js';

/** `--save`: records the sound sent by the service in a WAV file that is valid at any time. */
export class SentRecording {
  readonly #recording: WavRecording;

  private constructor(recording: WavRecording) {
    this.#recording = recording;
  }

  /** @throws BridgeError SAVE_FAILED when the file cannot be created */
  static async open(path: string, { terminal }: CliContext): Promise<SentRecording> {
    return new SentRecording(
      await WavRecording.open(path, { onError: (error) => terminal.warn(printable(error.message)) }),
    );
  }

  /** @param samples s16le in base64, as in a live answer */
  take(samples: string): void {
    const bytes = Buffer.from(samples, 'base64');
    const decoded = new Int16Array(bytes.length / 2);
    for (let i = 0; i < decoded.length; i += 1) decoded[i] = bytes.readInt16LE(i * 2);
    this.#recording.write(decoded);
  }

  async close(): Promise<void> {
    await this.#recording.close();
  }
}

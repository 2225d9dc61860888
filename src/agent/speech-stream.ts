import { PassThrough, Writable } from 'node:stream';
import type { Speech } from '../speech/speech.js';

/** Bytes buffered in the stream before the writer must wait. */
const HIGH_WATER_BYTES = 65_536;

/** Writable stream of a sound; see `Agent.createSpeechStream`. */
export class SpeechStream extends Writable {
  /** Speech of this stream's sound. */
  readonly speech: Speech;
  readonly #bytes = new PassThrough({ highWaterMark: HIGH_WATER_BYTES });

  /** @param speak begins the speech of the written bytes */
  constructor(speak: (bytes: PassThrough) => Speech) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.speech = speak(this.#bytes);
    // After the end of the speech nobody reads any more: a writer must get an error, not wait forever.
    void this.speech.finished.then((end) => {
      if (!this.writableFinished) this.destroy(end.error);
    });
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#bytes.write(chunk)) done();
    else this.#bytes.once('drain', done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#bytes.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // A finished stream is destroyed as well, while its last bytes still wait to be spoken.
    if (!this.writableFinished) {
      if (this.speech.state !== 'ended') void this.speech.stop();
      this.#bytes.destroy();
    }
    done(error);
  }
}

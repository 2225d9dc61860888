import { PassThrough, Writable } from 'node:stream';
import type { Speech } from '../speech/speech.js';

/** Bytes that wait in the stream before who writes is held back. */
const HIGH_WATER_BYTES = 65_536;

/** A sound that is written as it is made; see `Agent.createSpeechStream`. */
export class SpeechStream extends Writable {
  /** The speech that speaks it. */
  readonly speech: Speech;
  readonly #bytes = new PassThrough({ highWaterMark: HIGH_WATER_BYTES });

  /** @param speak begins the speech of the bytes that are written */
  constructor(speak: (bytes: PassThrough) => Speech) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.speech = speak(this.#bytes);
    // When the speech is over nobody reads any more: who still writes must hear it, not wait for ever.
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
    // A stream that has finished is destroyed as well, while its last bytes still wait to be spoken.
    if (!this.writableFinished) {
      if (this.speech.state !== 'ended') void this.speech.stop();
      this.#bytes.destroy();
    }
    done(error);
  }
}

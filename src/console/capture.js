/* Runs in the audio thread. No type library has its globals, so tsconfig.console.json leaves this file out. */

/** Samples per message: 21 ms at 48 kHz. */
const CHUNK_SAMPLES = 1024;

/** Forwards the microphone's samples unchanged. */
class Capture extends AudioWorkletProcessor {
  #chunk = new Float32Array(CHUNK_SAMPLES);
  #filled = 0;

  process([[samples]]) {
    if (!samples) return true;
    for (let at = 0; at < samples.length;) {
      const part = samples.subarray(at, at + CHUNK_SAMPLES - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === CHUNK_SAMPLES) {
        this.port.postMessage(this.#chunk, [this.#chunk.buffer]);
        this.#chunk = new Float32Array(CHUNK_SAMPLES);
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor('capture', Capture);

import type { ActiveSpeech } from './active-speech.js';

/** More than an agent can hold at the longest lead, with a frame and its latency: 3 s at 16 kHz. */
const MAX_SAMPLES = 48_000;

/**
 * The samples that were sent last, for an agent that is lost before it has played them: what was not heard can be sent
 * again. Bounded; older samples are forgotten, they have long been heard.
 */
export class SentHistory {
  #pieces: { run: ActiveSpeech; samples: Int16Array }[] = [];
  #total = 0;

  add(run: ActiveSpeech, samples: Int16Array): void {
    if (run.speech.options.onAgentLost !== 'resume') return;
    this.#pieces.push({ run, samples });
    this.#total += samples.length;
    while (this.#total - this.#pieces[0]!.samples.length >= MAX_SAMPLES) {
      this.#total -= this.#pieces.shift()!.samples.length;
    }
  }

  /** The last `count` samples of `run`, or as many as are kept. */
  last(run: ActiveSpeech, count: number): Int16Array {
    const mine = this.#pieces.filter((piece) => piece.run === run);
    const kept = mine.reduce((sum, piece) => sum + piece.samples.length, 0);
    const joined = new Int16Array(kept);
    let at = 0;
    for (const { samples } of mine) {
      joined.set(samples, at);
      at += samples.length;
    }
    return joined.subarray(Math.max(0, kept - count));
  }

  clear(): void {
    this.#pieces = [];
    this.#total = 0;
  }
}

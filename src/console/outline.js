/** Duration of one peak, in ms, as sent by the service. */
export const STEP_MS = 20;
/** Maximum number of peaks, one hour; of a longer or endless sound the last hour is kept. */
const CAPACITY = (60 * 60 * 1000) / STEP_MS;

/** Outline of one speech so far: a peak of 0 to 255 for every 20 ms, in bounded memory. */
export class Outline {
  /** Ring buffer that grows as it fills, up to an hour. */
  #peaks = new Uint8Array(1024);
  /** Number of steps from the start of the sound to the end of the known part. */
  #end = 0;

  /** End of the known part, in ms. */
  get endMs() {
    return this.#end * STEP_MS;
  }

  /**
   * Adds peaks sent by the service.
   * @param {number} fromMs
   * @param {number} stepMs
   * @param {number[]} peaks
   */
  add(fromMs, stepMs, peaks) {
    const first = Math.round(fromMs / STEP_MS);
    const spread = Math.max(1, Math.round(stepMs / STEP_MS));
    peaks.forEach((peak, i) => {
      for (let j = 0; j < spread; j++) this.#set(first + i * spread + j, peak);
    });
  }

  /**
   * Returns the loudest peak of a range; 0 where nothing is known.
   * @param {number} fromMs
   * @param {number} toMs
   */
  loudest(fromMs, toMs) {
    const from = Math.max(0, Math.floor(fromMs / STEP_MS), this.#end - CAPACITY);
    const to = Math.min(this.#end, Math.max(from + 1, Math.ceil(toMs / STEP_MS)));
    let loudest = 0;
    for (let step = from; step < to; step++) {
      const peak = this.#peaks[step % CAPACITY] ?? 0;
      if (peak > loudest) loudest = peak;
    }
    return loudest;
  }

  /**
   * @param {number} step
   * @param {number} peak
   */
  #set(step, peak) {
    // Peaks that were missed in between are silence, not the ring's old contents.
    const gapFrom = Math.max(this.#end, step - CAPACITY + 1);
    this.#room(step);
    for (let missed = gapFrom; missed < step; missed++) this.#peaks[missed % CAPACITY] = 0;
    this.#peaks[step % CAPACITY] = peak;
    this.#end = Math.max(this.#end, step + 1);
  }

  /** @param {number} step */
  #room(step) {
    const needed = Math.min(CAPACITY, step + 1);
    if (needed <= this.#peaks.length) return;
    const larger = new Uint8Array(Math.min(CAPACITY, Math.max(needed, this.#peaks.length * 2)));
    larger.set(this.#peaks);
    this.#peaks = larger;
  }
}

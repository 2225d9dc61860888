import type { PcmBlock } from '../pcm.js';

/**
 * Removes frames that an encoder added at the start and at the end; it holds back as many as it removes at
 * the end. A frame is one sample of each channel.
 */
export class Trim {
  #dropStart: number;
  readonly #dropEnd: number;
  #held: PcmBlock[] = [];
  #heldFrames = 0;

  constructor(dropStart: number, dropEnd: number) {
    this.#dropStart = dropStart;
    this.#dropEnd = dropEnd;
  }

  /** @returns the blocks that cannot be part of the end any more */
  push(block: PcmBlock): PcmBlock[] {
    const frames = block.samples.length / block.channels;
    const dropped = Math.min(this.#dropStart, frames);
    this.#dropStart -= dropped;
    if (frames === dropped) return [];
    this.#held.push(dropped > 0 ? part(block, dropped, frames) : block);
    this.#heldFrames += frames - dropped;
    const out: PcmBlock[] = [];
    while (this.#held.length > 0 && this.#heldFrames > this.#dropEnd) {
      const first = this.#held[0]!;
      const whole = first.samples.length / first.channels;
      const free = Math.min(whole, this.#heldFrames - this.#dropEnd);
      if (free === whole) this.#held.shift();
      else this.#held[0] = part(first, free, whole);
      out.push(free === whole ? first : part(first, 0, free));
      this.#heldFrames -= free;
    }
    return out;
  }

  /** @returns the held frames, for an end that is not the encoder's */
  rest(): PcmBlock[] {
    const held = this.#held;
    this.#held = [];
    this.#heldFrames = 0;
    return held;
  }
}

function part(block: PcmBlock, from: number, to: number): PcmBlock {
  return { ...block, samples: block.samples.subarray(from * block.channels, to * block.channels) };
}

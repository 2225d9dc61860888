import { BridgeError } from '../../base/errors.js';
import type { EncodedChunk } from '../pcm.js';
import {
  CONTAINER_HEAD_BYTES,
  indexedContainer,
  PART_HEAD_BYTES,
  type IndexedContainer,
} from './indexed-container.js';
import type { Lookahead } from './lookahead.js';

const MIB = 2 ** 20;
/** The most that is held in memory of one sound: more than an hour of AAC at 128 kbit/s. */
const MAX_HELD_BYTES = 64 * MIB;
/** The most that is held in memory of all of them at once. */
const MAX_HELD_IN_ALL_BYTES = 256 * MIB;
/** No index is larger; one of an hour of AAC has 700 KB. */
const MAX_INDEX_BYTES = 64 * MIB;
/** A file of more parts before its index is none that was made to be played. */
const MAX_PARTS = 10_000;

/** What is held in memory in this process, in bytes. */
let heldInAll = 0;

/** The bounds of what may be held. */
export interface HoldLimits {
  readonly maxBytes: number;
  readonly maxInAllBytes: number;
}

/**
 * A container as it can be read front to back: where the index stands behind the sound, all that is before it is held in
 * memory until it has come. Nothing is written to a disk. A container whose index stands in front passes as it comes.
 * @param label how messages name the sound
 * @throws BridgeError SOUND_TOO_LARGE, SOUND_BROKEN, SOUND_UNKNOWN, and what the source throws
 */
export async function* indexFirst(
  input: Lookahead,
  container: IndexedContainer,
  label: string,
  limits: HoldLimits = { maxBytes: MAX_HELD_BYTES, maxInAllBytes: MAX_HELD_IN_ALL_BYTES },
): AsyncGenerator<EncodedChunk, void, undefined> {
  const hold = new Hold(input, container, label, limits);
  try {
    let soundSeen = false;
    let leadBytes = await hold.take(container.headBytes);
    for (;;) {
      const part = container.partAt(await input.peek(PART_HEAD_BYTES));
      if (!part || part.bytes === Infinity) break;
      if (part.type === container.index) {
        if (!soundSeen) break;
        const indexAt = hold.bytes;
        await hold.take(part.bytes);
        yield* hold.giveIndexFirst(leadBytes, indexAt);
        yield* input;
        return;
      }
      soundSeen ||= part.type === container.sound;
      const first = hold.bytes === container.headBytes;
      await hold.take(part.bytes);
      if (first && part.type === container.lead) leadBytes = hold.bytes;
    }
    if (soundSeen && (await input.peek(1)).length === 0) throw cutOff(container, label);
    yield* hold.give();
    yield* input;
  } finally {
    hold.free();
  }
}

/** Bytes of the start of a sound, in memory. */
class Hold {
  readonly #input: Lookahead;
  readonly #container: IndexedContainer;
  readonly #label: string;
  readonly #limits: HoldLimits;
  #chunks: EncodedChunk[] = [];
  #bytes = 0;

  constructor(input: Lookahead, container: IndexedContainer, label: string, limits: HoldLimits) {
    this.#input = input;
    this.#container = container;
    this.#label = label;
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes so many more bytes. @returns how many are held now @throws when there are not so many */
  async take(bytes: number): Promise<number> {
    // It is known from the head of a part already that it will not do.
    if (this.#bytes + bytes > this.#limits.maxBytes) throw this.#tooLarge();
    for (let left = bytes; left > 0;) {
      const chunk = await this.#input.take(left);
      if (!chunk) throw cutOff(this.#container, this.#label);
      if (heldInAll + chunk.length > this.#limits.maxInAllBytes) throw this.#tooMany();
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      heldInAll += chunk.length;
      left -= chunk.length;
    }
    return this.#bytes;
  }

  /** Gives everything in order, letting go of each piece. */
  *give(): Generator<EncodedChunk> {
    for (let chunk = this.#chunks.shift(); chunk; chunk = this.#chunks.shift()) yield chunk;
  }

  /** Gives what stands before `leadBytes`, then the index, which was taken last, then the rest. */
  *giveIndexFirst(leadBytes: number, indexAt: number): Generator<EncodedChunk> {
    const index = this.#cutFrom(indexAt);
    const rest = this.#cutFrom(leadBytes);
    yield* this.give();
    yield this.#container.moved(Buffer.concat(index), leadBytes, indexAt, this.#label);
    this.#chunks = rest;
    yield* this.give();
  }

  /** Lets go of all; safe to call again. */
  free(): void {
    this.#chunks = [];
    heldInAll -= this.#bytes;
    this.#bytes = 0;
  }

  /** Takes the chunks from a place on away. */
  #cutFrom(place: number): EncodedChunk[] {
    let at = 0;
    for (const [i, chunk] of this.#chunks.entries()) {
      if (at + chunk.length > place) {
        const behind = [chunk.subarray(place - at), ...this.#chunks.splice(i + 1)];
        this.#chunks[i] = chunk.subarray(0, place - at);
        return behind;
      }
      at += chunk.length;
    }
    return [];
  }

  #tooLarge(): BridgeError {
    const most = Math.floor(this.#limits.maxBytes / MIB);
    return new BridgeError(
      'SOUND_TOO_LARGE',
      `${this.#label} has its index at the end, so all of it has to be held in memory before it can be read, and it is ` +
        `larger than ${most} MiB.`,
      this.#advice(),
    );
  }

  #tooMany(): BridgeError {
    const most = Math.floor(this.#limits.maxInAllBytes / MIB);
    return new BridgeError(
      'SOUND_TOO_LARGE',
      `${this.#label} has its index at the end, so all of it has to be held in memory before it can be read, and the ` +
        `${most} MiB that there are for such sounds are taken by others.`,
      this.#advice(),
    );
  }

  #advice(): { advice: string } {
    return {
      advice:
        this.#container.name === 'MP4'
          ? 'Move its index to the front: ffmpeg -i in.m4a -c copy -movflags +faststart out.m4a'
          : 'Convert it to WAV, MP3, FLAC or Opus, which play while they are read.',
    };
  }
}

/** What of a file has to be read in another order. */
export interface IndexPlan {
  /** The index as it has to read in front. */
  readonly index: Uint8Array;
  /** Where it is to stand. */
  readonly leadBytes: number;
  /** Where it stands. */
  readonly indexAt: number;
}

/**
 * The same for what can be read at any place: nothing needs to be held.
 * @param read bytes of the file: so many from a place on, fewer only at its end
 * @returns undefined when it can be read as it is
 * @throws BridgeError as `indexFirst`, and what `read` throws
 */
export async function planIndexFirst(
  read: (at: number, bytes: number) => Promise<Uint8Array>,
  label: string,
): Promise<IndexPlan | undefined> {
  const container = indexedContainer(await read(0, CONTAINER_HEAD_BYTES));
  if (!container) return undefined;
  let soundSeen = false;
  let leadBytes = container.headBytes;
  let at = container.headBytes;
  for (let parts = 0; parts < MAX_PARTS; parts += 1) {
    const part = container.partAt(await read(at, PART_HEAD_BYTES));
    if (!part || part.bytes === Infinity) return undefined;
    if (part.type === container.index) {
      if (!soundSeen || part.bytes > MAX_INDEX_BYTES) return undefined;
      const index = await read(at, part.bytes);
      if (index.length < part.bytes) throw cutOff(container, label);
      return { index: container.moved(index, leadBytes, at, label), leadBytes, indexAt: at };
    }
    soundSeen ||= part.type === container.sound;
    if (at === container.headBytes && part.type === container.lead) leadBytes = at + part.bytes;
    at += part.bytes;
  }
  return undefined;
}

function cutOff(container: IndexedContainer, label: string): BridgeError {
  return new BridgeError(
    'SOUND_BROKEN',
    `${label} (${container.name}) is cut off: it ends before its index, without which nothing of it can be read.`,
  );
}

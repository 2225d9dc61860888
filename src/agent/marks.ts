import { RoundTrips, type RoundTrip } from './round-trips.js';
import { decodeMark, encodeMark } from './wire.js';

/**
 * How often a mark goes out while sound does, in ms: a few a second, never one a frame. The time is cut at the same
 * moments for all agents, so that their answers come in bunches and wake the process less often.
 */
const EVERY_MS = 400;
/** A mark that has not come back for so long means that the agent has stopped reading (protocol.md §5: at most 11 ms). */
const STALLED_AFTER_MS = 550;
/** Marks under way at once; no more go out until one comes back. */
const MAX_PENDING = 8;

interface Pending {
  readonly id: number;
  readonly sentMs: number;
  readonly samples: number;
}

/**
 * Delivery marks: a ping's payload comes back when the agent has read all that was sent before it (protocol.md §5).
 * Pure bookkeeping: it says when a mark is due and what an answer means; who holds it does the sending.
 */
export class Marks {
  #nextId: number;
  #pending: Pending[] = [];
  /** The stretch of `EVERY_MS` in which the last mark was sent. */
  #lastStretch = -Infinity;
  #readSamples = 0;
  readonly #roundTrips = new RoundTrips();

  /** @param firstId ids count up from here; one connection never has the same twice */
  constructor(firstId = 1) {
    this.#nextId = firstId;
  }

  /** Samples known to have been read. */
  get readSamples(): number {
    return this.#readSamples;
  }

  /** The moment at which silence means a stall, while a mark is under way. */
  get stallAtMs(): number | undefined {
    const oldest = this.#pending[0];
    return oldest && oldest.sentMs + STALLED_AFTER_MS;
  }

  /** True when a mark is overdue. */
  stalled(nowMs: number): boolean {
    const at = this.stallAtMs;
    return at !== undefined && nowMs >= at;
  }

  /**
   * The payload of the mark that is due behind what was just sent, if one is.
   * @param samples all samples sent so far
   * @param force asks for one even if the last was a moment ago: at the end of a segment
   */
  due(samples: number, nowMs: number, force = false): Uint8Array | undefined {
    const stretch = Math.floor(nowMs / EVERY_MS);
    if (!force && stretch === this.#lastStretch) return undefined;
    if (this.#pending.length >= MAX_PENDING) return undefined;
    const id = this.#nextId++;
    this.#lastStretch = stretch;
    this.#pending.push({ id, sentMs: nowMs, samples });
    return encodeMark(id);
  }

  /**
   * Takes in a mark that came back.
   * @returns false when it is none of ours
   */
  answered(payload: Uint8Array, nowMs: number): boolean {
    const id = decodeMark(payload);
    const index = this.#pending.findIndex((pending) => pending.id === id);
    if (index < 0) return false;
    const { sentMs, samples } = this.#pending[index]!;
    // In order with the data: an answer covers every mark before it.
    this.#pending.splice(0, index + 1);
    this.#readSamples = samples;
    this.#roundTrips.add(nowMs - sentMs);
    return true;
  }

  /** The statistics of the last marks; nothing before the first answer. */
  get roundTrip(): RoundTrip | undefined {
    return this.#roundTrips.statistics;
  }
}

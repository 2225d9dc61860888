import type { Acknowledgements, RoundTrip } from '../agent/connection.js';
import type { WireUnit } from '../agent/wire.js';

/** Timing of the marks by which a transport learns what its avatar has read. */
export interface AckTiming {
  /**
   * Interval of the marks while sound is sent, in ms: a few a second, never one a frame. The intervals begin at the same
   * moments for all agents, so that their answers arrive together and wake the process less often.
   */
  readonly everyMs: number;
  /** Age of an unanswered mark, in ms, at which the agent counts as not reading. */
  readonly overdueAfterMs: number;
  /** Bytes after which a mark is sent. */
  readonly everyBytes: number;
}

/** Marks that are pings (protocol.md §5: answered within 11 ms). */
export const PING_TIMING: AckTiming = { everyMs: 400, overdueAfterMs: 550, everyBytes: 16_384 };

/**
 * Marks that are text lines, where there are no pings (protocol.md §6: the echo comes after 21 to 86 ms, and one in two
 * hundred is lost). Each one is a message to all modules of the avatar, so they are sparse.
 */
export const ECHO_TIMING: AckTiming = { everyMs: 1000, overdueAfterMs: 2500, everyBytes: 32_768 };

/** Maximum bytes sent and not known to be read: 1.9 s of sound, and far less than a kernel takes. */
const MAX_BYTES = 65_536;
/** Approximate kernel overhead of a small write, in bytes; a mark is one too. */
const UNIT_BYTES = 64;
/** Maximum number of timed marks under way; marks sent after `everyBytes` are few anyway. */
const MAX_PENDING = 8;
/** Number of round trips in the statistics. */
const ROUND_TRIPS = 64;

interface Pending {
  readonly mark: number;
  readonly sentMs: number;
  readonly bytes: number;
  readonly samples: number;
}

/**
 * Bookkeeping of one agent's sent data and of the part it is known to have read: a mark sent behind something comes back
 * when the agent has read everything before it (protocol.md §5). The marks answer for everything: the samples read, the
 * round trip and its jitter, whether the agent still reads, and whether more may be handed to the operating system.
 *
 * A socket that is never filled takes each unit whole: no unit is half written, so none can be cut in two when this
 * process ends, or be delayed between its halves (§2: 10 ms are fatal). Units without room wait here, as whole units.
 *
 * Pure bookkeeping: time is an argument, and the owner does the writing.
 */
export class AckWindow implements Acknowledgements {
  /** Totals handed over, written or waiting. */
  readonly sent = { frames: 0, samples: 0, commands: 0 };
  readonly #timing: AckTiming;
  #nextMark: number;
  #pending: Pending[] = [];
  /** Index of the `everyMs` interval in which the last mark was sent. */
  #lastStretch = -Infinity;
  #writtenBytes = 0;
  #markedBytes = 0;
  #readBytes = 0;
  #readSamples = 0;
  #waiting: WireUnit[] = [];
  #waitingBytes = 0;
  #waitingSamples = 0;
  readonly #roundTrips = new RoundTrips();

  /** @param firstMark number of the first mark; no connection may see a number twice */
  constructor(timing: AckTiming = PING_TIMING, firstMark = 1) {
    this.#timing = timing;
    this.#nextMark = firstMark;
  }

  get readSamples(): number {
    return this.#readSamples;
  }

  get overdueAtMs(): number | undefined {
    const oldest = this.#pending[0];
    return oldest && oldest.sentMs + this.#timing.overdueAfterMs;
  }

  get roundTrip(): RoundTrip | undefined {
    return this.#roundTrips.statistics;
  }

  /** Marks under way. */
  get pendingMarks(): number {
    return this.#pending.length;
  }

  /** Bytes written and not known to be read. */
  get underWayBytes(): number {
    return this.#writtenBytes - this.#readBytes;
  }

  /** Bytes of the waiting units. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Accepts a unit.
   * @returns true when it must be written now; else a copy waits here until `answered` returns it
   */
  admit(unit: WireUnit): boolean {
    const { sent } = this;
    if (unit.kind === 'frame') {
      sent.frames += 1;
      sent.samples += unit.samples.length;
    } else if (unit.kind === 'command') sent.commands += 1;
    if (this.#waiting.length === 0 && this.#hasRoom(unit)) return true;
    this.#waiting.push(unit.copy());
    this.#waitingBytes += unit.byteLength;
    this.#waitingSamples += unit.samples.length;
    return false;
  }

  /**
   * Records that a unit is written.
   * @returns the mark to write behind it, if one is due
   */
  wrote(unit: WireUnit, nowMs: number): number | undefined {
    this.#writtenBytes += unit.byteLength + UNIT_BYTES;
    return this.#markDue(unit, nowMs) ? this.mark(nowMs) : undefined;
  }

  /** Records that a mark is written. @returns its number */
  mark(nowMs: number): number {
    const mark = this.#nextMark++;
    this.#writtenBytes += UNIT_BYTES;
    this.#markedBytes = this.#writtenBytes;
    const samples = this.sent.samples - this.#waitingSamples;
    this.#pending.push({ mark, sentMs: nowMs, bytes: this.#writtenBytes, samples });
    return mark;
  }

  /**
   * Handles a mark that came back: everything before it has been read.
   * @param write writes units that now have room, and calls `wrote` for each
   * @returns false when the mark is not one that is under way
   */
  answered(mark: number | undefined, nowMs: number, write: (unit: WireUnit) => void): boolean {
    const index = this.#pending.findIndex((pending) => pending.mark === mark);
    if (index < 0) return false;
    const { sentMs, samples, bytes } = this.#pending[index]!;
    // Marks arrive in order with the data: an answer covers every mark before it.
    this.#pending.splice(0, index + 1);
    this.#readSamples = samples;
    this.#readBytes = bytes;
    this.#roundTrips.add(nowMs - sentMs);
    if (this.#waiting.length > 0) this.#release(write);
    return true;
  }

  #release(write: (unit: WireUnit) => void): void {
    let released = 0;
    for (const unit of this.#waiting) {
      if (!this.#hasRoom(unit)) break;
      released += 1;
      this.#waitingBytes -= unit.byteLength;
      this.#waitingSamples -= unit.samples.length;
      write(unit);
    }
    this.#waiting.splice(0, released);
  }

  #hasRoom(unit: WireUnit): boolean {
    return this.underWayBytes === 0 || this.underWayBytes + unit.byteLength + UNIT_BYTES <= MAX_BYTES;
  }

  #markDue(unit: WireUnit, nowMs: number): boolean {
    if (this.#writtenBytes - this.#markedBytes >= this.#timing.everyBytes) return true;
    if (unit.kind === 'command' || this.#pending.length >= MAX_PENDING) return false;
    const stretch = Math.floor(nowMs / this.#timing.everyMs);
    if (unit.kind === 'frame' && stretch === this.#lastStretch) return false;
    this.#lastStretch = stretch;
    return true;
  }
}

/** Round trips of the last marks, kept sorted: an adaptive lead reads every one. */
class RoundTrips {
  /** Round trips in order of arrival. */
  readonly #window: number[] = [];
  /** The same round trips, shortest first. */
  readonly #sorted: number[] = [];
  #count = 0;

  add(ms: number): void {
    this.#count += 1;
    if (this.#window.length === ROUND_TRIPS)
      this.#sorted.splice(this.#sorted.indexOf(this.#window.shift()!), 1);
    this.#window.push(ms);
    const at = this.#sorted.findIndex((other) => other > ms);
    this.#sorted.splice(at < 0 ? this.#sorted.length : at, 0, ms);
  }

  get statistics(): RoundTrip | undefined {
    const sorted = this.#sorted;
    const lastMs = this.#window.at(-1);
    if (lastMs === undefined) return undefined;
    const at = (share: number): number => sorted[Math.floor(share * sorted.length)]!;
    return {
      count: this.#count,
      lastMs,
      minMs: sorted[0]!,
      medianMs: at(0.5),
      maxMs: sorted.at(-1)!,
      jitterMs: at(0.95) - sorted[0]!,
    };
  }
}

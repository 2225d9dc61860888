/** Samples per block of the sound card, which takes only whole blocks (protocol.md §4). */
export const BLOCK_SAMPLES = 256;

/** Maximum number of segments kept in full; the oldest are dropped first. */
const MAX_SEGMENTS = 1_000;

/** A segment: the sound between two SNDBRKS. Times are milliseconds since the upgrade. */
export interface SegmentReport {
  /** Index over the whole connection, from 0. */
  readonly index: number;
  /** Arrival time of its first frame. */
  readonly firstFrameMs: number;
  /** Samples received. */
  readonly receivedSamples: number;
  /** Samples lost because less than a block remained at its end. */
  readonly remainderLostSamples: number;
  readonly gapCount: number;
  readonly gapMs: number;
  /** Time at which its first sample could be heard. */
  readonly heardFromMs?: number;
  /** Time at which its last sample so far had been heard. */
  readonly heardUntilMs?: number;
  /** True once SNDBRKS has come. */
  readonly closed: boolean;
}

interface Segment {
  readonly report: { -readonly [Key in keyof SegmentReport]: SegmentReport[Key] };
  /** Position of its first sample, and of the first after it, among all accepted samples. */
  readonly from: number;
  to: number;
}

/**
 * Maps samples to segments and records when each segment was heard. The card does not know segments: its
 * buffer can hold two at once, and a block can hold the end of one and the start of the next (protocol.md
 * §4).
 */
export class SegmentState {
  readonly #segments: Segment[] = [];
  #count = 0;
  #acceptedSamples = 0;
  #consumedSamples = 0;

  /** Segments, oldest first. */
  get reports(): readonly SegmentReport[] {
    return this.#segments.map(({ report }) => ({ ...report }));
  }

  /** True when part of the segment that receives sound has been heard already. */
  get heardAnyOfCurrent(): boolean {
    const current = this.#segments.at(-1);
    return current !== undefined && !current.report.closed && current.report.heardFromMs !== undefined;
  }

  /**
   * Adds sound to the current segment; the first sound after SNDBRKS opens a new one.
   * @param received samples that came
   * @param accepted samples the buffer had room for
   */
  add(received: number, accepted: number, nowMs: number): void {
    let current = this.#segments.at(-1);
    if (!current || current.report.closed) {
      current = {
        report: {
          index: this.#count++,
          firstFrameMs: nowMs,
          receivedSamples: 0,
          remainderLostSamples: 0,
          gapCount: 0,
          gapMs: 0,
          closed: false,
        },
        from: this.#acceptedSamples,
        to: this.#acceptedSamples,
      };
      this.#segments.push(current);
      if (this.#segments.length > MAX_SEGMENTS) this.#segments.shift();
    }
    current.report.receivedSamples += received;
    this.#acceptedSamples += accepted;
    current.to = this.#acceptedSamples;
  }

  /** Closes the segment. @returns the samples missing to a whole number of blocks; 0 without a segment */
  close(): number {
    const current = this.#segments.at(-1)?.report;
    if (!current || current.closed) return 0;
    current.closed = true;
    return (BLOCK_SAMPLES - (current.receivedSamples % BLOCK_SAMPLES)) % BLOCK_SAMPLES;
  }

  /** Adds a silence to the current segment. */
  gap(lengthMs: number): void {
    const current = this.#segments.at(-1)?.report;
    if (!current) return;
    current.gapCount++;
    current.gapMs += lengthMs;
  }

  /**
   * Records samples that the card took.
   * @param heardFromMs time at which the first of them is heard
   */
  consume(samples: number, heardFromMs: number, msPerSample: number): void {
    const [from, to] = [this.#consumedSamples, this.#consumedSamples + samples];
    for (const segment of this.#touched(from)) {
      if (segment.from >= to) continue;
      const first = Math.max(segment.from, from);
      const last = Math.min(segment.to, to);
      segment.report.heardFromMs ??= heardFromMs + (first - from) * msPerSample;
      segment.report.heardUntilMs = heardFromMs + (last - from) * msPerSample;
    }
    this.#consumedSamples = to;
  }

  /** Counts the remainder of the previous segment as lost. */
  lose(samples: number): void {
    const segment = this.#touched(this.#consumedSamples).at(-1);
    if (segment) segment.report.remainderLostSamples += samples;
    this.#consumedSamples += samples;
  }

  /** Returns the segments that end at or after a position; these are the last few. */
  #touched(from: number): Segment[] {
    let start = this.#segments.length;
    while (start > 0 && this.#segments[start - 1]!.to > from) start--;
    return this.#segments.slice(start);
  }
}

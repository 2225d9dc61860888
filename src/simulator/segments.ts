/** The sound card is fed in blocks of this many samples, and only in whole ones (protocol.md §4). */
export const BLOCK_SAMPLES = 256;

/** Segments that are kept whole; the oldest go first. */
const MAX_SEGMENTS = 1_000;

/** One segment: the sound between two SNDBRKS. Times are milliseconds since the upgrade. */
export interface SegmentReport {
  /** Counts from 0, over the whole connection. */
  readonly index: number;
  /** When its first frame came. */
  readonly firstFrameMs: number;
  /** Samples that came. */
  readonly receivedSamples: number;
  /** Samples lost because less than a block of it remained at its end. */
  readonly remainderLostSamples: number;
  readonly gapCount: number;
  readonly gapMs: number;
  /** When its first sample could be heard. */
  readonly heardFromMs?: number;
  /** When its last sample so far had been heard. */
  readonly heardUntilMs?: number;
  /** True once SNDBRKS has come. */
  readonly closed: boolean;
}

interface Segment {
  readonly report: { -readonly [Key in keyof SegmentReport]: SegmentReport[Key] };
  /** Position of its first sample, and of the first after it, among all samples that were accepted. */
  readonly from: number;
  to: number;
}

/**
 * Which samples belong to which segment, and when each was heard. The card knows nothing of segments: two can lie in
 * its buffer at once, and a block can hold the end of one and the head of the next (protocol.md §4).
 */
export class SegmentState {
  readonly #segments: Segment[] = [];
  #count = 0;
  #acceptedSamples = 0;
  #consumedSamples = 0;

  /** The segments, oldest first. */
  get reports(): readonly SegmentReport[] {
    return this.#segments.map(({ report }) => ({ ...report }));
  }

  /** True when some of the segment that sound is being added to has been heard already. */
  get heardAnyOfCurrent(): boolean {
    const current = this.#segments.at(-1);
    return current !== undefined && !current.report.closed && current.report.heardFromMs !== undefined;
  }

  /**
   * Sound of the current segment; the first after SNDBRKS opens a new one.
   * @param received samples that came
   * @param accepted how many of them the buffer had room for
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

  /** @returns how many samples the segment lacks for a whole number of blocks; 0 too when there is none */
  close(): number {
    const current = this.#segments.at(-1)?.report;
    if (!current || current.closed) return 0;
    current.closed = true;
    return (BLOCK_SAMPLES - (current.receivedSamples % BLOCK_SAMPLES)) % BLOCK_SAMPLES;
  }

  /** A silence in the current segment. */
  gap(lengthMs: number): void {
    const current = this.#segments.at(-1)?.report;
    if (!current) return;
    current.gapCount++;
    current.gapMs += lengthMs;
  }

  /**
   * The card took samples.
   * @param heardFromMs when the first of them is heard
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

  /** What was left of the segment before is lost. */
  lose(samples: number): void {
    const segment = this.#touched(this.#consumedSamples).at(-1);
    if (segment) segment.report.remainderLostSamples += samples;
    this.#consumedSamples += samples;
  }

  /** The segments of which something lies at or after a position; these are the last few. */
  #touched(from: number): Segment[] {
    let start = this.#segments.length;
    while (start > 0 && this.#segments[start - 1]!.to > from) start--;
    return this.#segments.slice(start);
  }
}

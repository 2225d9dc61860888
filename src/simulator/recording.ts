import { msToSamples, samplesToMs } from '../base/units.js';

/** A stretch of heard sound without a pause. */
export interface HeardRun {
  /** Time at which it begins to be heard, in milliseconds since the upgrade. */
  readonly atMs: number;
  /** Silence before it: a gap within a segment, or the pause before a segment. */
  readonly after: 'gap' | 'segment';
  readonly samples: Int16Array;
}

/** Options of `HeardRecording.join`. */
export interface JoinOptions {
  /** True adds the gaps within segments as silence. */
  readonly gaps?: boolean;
  /** Maximum length of the pauses between segments, which are added as silence, in milliseconds. */
  readonly maxPauseMs?: number;
}

interface OpenRun {
  readonly atMs: number;
  readonly after: 'gap' | 'segment';
  readonly pieces: Int16Array[];
  samples: number;
}

/**
 * Keeps the heard sound, up to a limit; later sound is played but not kept. It mirrors the playback's buffer
 * and holds views of the received frames, so nothing is copied until it is needed.
 */
export class HeardRecording {
  readonly #maxSamples: number;
  readonly #queue: Int16Array[] = [];
  readonly #runs: OpenRun[] = [];
  #keptSamples = 0;
  #truncated = false;

  /** @param maxMs maximum sound that is kept, in milliseconds; 0 keeps nothing and costs nothing */
  constructor(maxMs: number) {
    this.#maxSamples = msToSamples(maxMs);
  }

  /** True when more was heard than was kept. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** Adds samples that came into the buffer. */
  queue(samples: Int16Array): void {
    if (this.#maxSamples > 0) this.#queue.push(samples);
  }

  /** Starts a stretch after a silence. */
  startRun(atMs: number, after: 'gap' | 'segment'): void {
    if (this.#maxSamples > 0 && !this.#truncated) this.#runs.push({ atMs, after, pieces: [], samples: 0 });
  }

  /** Marks the next samples of the buffer as heard. */
  play(count: number): void {
    const run = this.#runs.at(-1);
    for (const piece of this.#shift(count)) {
      const room = this.#maxSamples - this.#keptSamples;
      if (!run || room < piece.length) this.#truncated = true;
      if (!run || room === 0) continue;
      const kept = piece.subarray(0, room);
      run.pieces.push(kept);
      run.samples += kept.length;
      this.#keptSamples += kept.length;
    }
  }

  /** Marks the next samples of the buffer as lost. */
  discard(count: number): void {
    this.#shift(count);
  }

  /** Returns the heard sound as separate stretches. */
  runs(): HeardRun[] {
    return this.#runs.map(({ atMs, after, pieces, samples }) => ({
      atMs,
      after,
      samples: concat(pieces, samples),
    }));
  }

  /** Returns the heard sound in one piece; without options, with no silence between the stretches. */
  join(options: JoinOptions = {}): Int16Array {
    const pieces: Int16Array[] = [];
    let total = 0;
    let endMs: number | undefined;
    for (const run of this.#runs) {
      const pauseMs = endMs === undefined ? 0 : Math.max(0, run.atMs - endMs);
      const silence = new Int16Array(
        msToSamples(
          run.after === 'gap' ? (options.gaps ? pauseMs : 0) : Math.min(pauseMs, options.maxPauseMs ?? 0),
        ),
      );
      pieces.push(silence);
      for (const piece of run.pieces) pieces.push(piece);
      total += silence.length + run.samples;
      endMs = run.atMs + samplesToMs(run.samples);
    }
    return concat(pieces, total);
  }

  #shift(count: number): Int16Array[] {
    const taken: Int16Array[] = [];
    let left = count;
    while (left > 0) {
      const head = this.#queue[0];
      if (!head) break;
      if (head.length <= left) {
        this.#queue.shift();
        taken.push(head);
        left -= head.length;
      } else {
        taken.push(head.subarray(0, left));
        this.#queue[0] = head.subarray(left);
        left = 0;
      }
    }
    return taken;
  }
}

function concat(pieces: readonly Int16Array[], total: number): Int16Array {
  const whole = new Int16Array(total);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

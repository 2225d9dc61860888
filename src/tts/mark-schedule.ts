import { textColumns } from './characters.js';
import type { PhonemeTiming, TextSpan } from './engine.js';
import { markTimeMs, spanTimeMs } from './mark-times.js';
import type { TextMark } from './script.js';
import type { Tag } from './tags.js';

/** Duration of a column of text, in ms, at a voice's own speed: 14 to 16 Latin letters a second. */
const MS_PER_COLUMN = 65;

/** Timing that a job knows of its utterance; it may grow. */
interface JobTiming {
  readonly info: { readonly durationMs?: number | undefined } | undefined;
  readonly phonemes: readonly PhonemeTiming[];
  readonly spans: readonly TextSpan[];
}

/** A tag and its time, in milliseconds of the whole sound. */
export interface TimedMark {
  readonly tag: Tag;
  readonly atMs: number;
}

/**
 * Computes the times of a segment's tags. If the engine reports the utterance's length or its sounds, all
 * times are known before the first block; if it streams without timing, each tag is due when the sound has
 * come about so far.
 */
export class MarkSchedule {
  readonly #text: string;
  readonly #waiting: TextMark[];
  readonly #startMs: number;
  readonly #job: JobTiming;

  /** @param startMs start of the segment in the whole sound */
  constructor(text: string, marks: readonly TextMark[], startMs: number, job: JobTiming) {
    this.#text = text;
    this.#waiting = [...marks];
    this.#startMs = startMs;
    this.#job = job;
  }

  /**
   * Returns the marks whose time is known or reached. @param untilMs position in the segment, with the coming
   * block
   */
  due(untilMs: number): TimedMark[] {
    return this.#takeWhile((at) => {
      const known = this.#knownMs(at);
      if (known !== undefined) return known;
      const estimateMs = textColumns(this.#text.slice(0, at)) * MS_PER_COLUMN;
      return estimateMs <= untilMs ? estimateMs : undefined;
    });
  }

  /** Returns the remaining marks after the end of the segment's sound. */
  rest(durationMs: number): TimedMark[] {
    return this.#takeWhile((at) => Math.min(durationMs, this.#knownMs(at) ?? durationMs));
  }

  #takeWhile(timeOf: (at: number) => number | undefined): TimedMark[] {
    const taken: TimedMark[] = [];
    for (let mark = this.#waiting[0]; mark; mark = this.#waiting[0]) {
      const ms = timeOf(mark.at);
      if (ms === undefined) break;
      this.#waiting.shift();
      taken.push({ tag: mark.tag, atMs: this.#startMs + ms });
    }
    return taken;
  }

  #knownMs(at: number): number | undefined {
    const { info, phonemes, spans } = this.#job;
    if (spans.length > 0) return spanTimeMs(this.#text, at, spans);
    const durationMs = info?.durationMs ?? phonemes.reduce((sum, phoneme) => sum + phoneme.durationMs, 0);
    return durationMs > 0 ? markTimeMs(this.#text, at, { durationMs, phonemes }) : undefined;
  }
}

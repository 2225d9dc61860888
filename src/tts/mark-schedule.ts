import { textColumns } from './characters.js';
import type { PhonemeTiming, TextSpan } from './engine.js';
import { markTimeMs, spanTimeMs } from './mark-times.js';
import type { TextMark } from './script.js';
import type { Tag } from './tags.js';

/** How long a column of text sounds, in voices at their own speed: 14 to 16 Latin letters a second. */
const MS_PER_COLUMN = 65;

/** What a job knows of its utterance's time; it may know more later. */
interface JobTiming {
  readonly info: { readonly durationMs?: number | undefined } | undefined;
  readonly phonemes: readonly PhonemeTiming[];
  readonly spans: readonly TextSpan[];
}

/** A tag and when it is heard, in milliseconds of the whole sound. */
export interface TimedMark {
  readonly tag: Tag;
  readonly atMs: number;
}

/**
 * When the tags of one segment are heard. Where the engine tells the utterance's length or its sounds, all are known before the
 * first block; where it streams without a word of time, each is told when the sound has come about so far.
 */
export class MarkSchedule {
  readonly #text: string;
  readonly #waiting: TextMark[];
  readonly #startMs: number;
  readonly #job: JobTiming;

  /** @param startMs where the segment begins in the whole sound */
  constructor(text: string, marks: readonly TextMark[], startMs: number, job: JobTiming) {
    this.#text = text;
    this.#waiting = [...marks];
    this.#startMs = startMs;
    this.#job = job;
  }

  /** The marks whose time is known, or reached by the sound. @param untilMs of the segment, the coming block included */
  due(untilMs: number): TimedMark[] {
    return this.#takeWhile((at) => {
      const known = this.#knownMs(at);
      if (known !== undefined) return known;
      const estimateMs = textColumns(this.#text.slice(0, at)) * MS_PER_COLUMN;
      return estimateMs <= untilMs ? estimateMs : undefined;
    });
  }

  /** The marks that are left when the segment's sound has ended. */
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

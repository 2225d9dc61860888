import type { PcmBlock, SoundContext } from '../audio/pcm.js';
import type { Clock } from '../base/clock.js';
import type { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import { msToSamples, SAMPLE_RATE_HZ } from '../base/units.js';
import { MarkSchedule } from './mark-schedule.js';
import type { Dictionary } from './dictionary.js';
import type { TtsEngine, VoiceOptions } from './engine.js';
import { scriptOf, type ScriptItem, type ScriptOptions, type TextMark, type TextPiece } from './script.js';
import { hasSpeech, speakableText } from './speakable.js';
import { TextCleaner, type SkipKind } from './text-cleaner.js';
import { withoutControls } from './control-characters.js';
import { cutToFit } from './text-limit.js';
import type { SynthesisEvents, SynthesisReport } from './speech-events.js';
import { blockMs, isLasting, SynthesisJob, type Speaker } from './synthesis-job.js';

/** Options of a spoken text. */
export interface SpeechSoundOptions extends Omit<ScriptOptions, 'signal' | 'onDropped' | 'onIgnored'> {
  readonly engine: TtsEngine;
  readonly speech?: VoiceOptions | undefined;
  /** Speaks what the engine cannot, with a voice of its own. */
  readonly fallback?: Speaker | undefined;
  readonly dictionary?: Dictionary | undefined;
  /**
   * Maximum number of segments synthesised or waiting beyond the one that is heard; they are lost at an
   * interruption. Default 3.
   */
  readonly maxAheadSegments?: number | undefined;
  /** Waiting sound above which no further segment is begun, in milliseconds. Default 20,000. */
  readonly maxAheadMs?: number | undefined;
  /** Number of retries of an engine after a temporary fault. Default 1. */
  readonly retries?: number | undefined;
  /** Delay before a retry, in milliseconds. Default 250. */
  readonly retryDelayMs?: number | undefined;
  /** Number of consecutive failed segments that ends the speech with their error. Default 3. */
  readonly maxFailures?: number | undefined;
  /** Name of the speech in messages. */
  readonly label?: string | undefined;
}

type SpokenItem = Exclude<ScriptItem, { kind: 'skipped' }>;

/** A step of the script with the state of its sound. */
interface Entry {
  readonly item: SpokenItem;
  /** Undefined for a step without speech. */
  readonly job: SynthesisJob | undefined;
  readonly index: number;
}

/** Consecutive segments spoken by the fallback after which it also speaks the rest: one voice, no waiting. */
const FALLBACKS_IN_A_ROW = 2;
/** Maximum segment length of the segmenter. */
const MAX_COLUMNS = 200;
const SILENCE_BLOCK_MS = 100;
const MAX_QUOTED_CHARS = 60;
const MAX_MARKUP_WARNINGS = 20;
const MAX_CHECKED_CHARS = 4000;
const LEFT_OUT: Readonly<Record<SkipKind, readonly [one: string, many: string]>> = {
  code: ['code block', 'code blocks'],
  think: ['part in reasoning tags', 'parts in reasoning tags'],
  table: ['table', 'tables'],
  direction: ['stage direction', 'stage directions'],
};

/**
 * One opening of a spoken text: reads the script on one side and plays the sound on the other, with a bounded
 * queue of jobs between them.
 */
export class SpeechRun {
  readonly #text: string | AsyncIterable<TextPiece>;
  readonly #options: SpeechSoundOptions & { readonly clock: Clock };
  readonly #events: Emitter<SynthesisEvents>;
  readonly #abort = new AbortController();
  readonly #queue: Entry[] = [];
  readonly #soundBell = new Bell();
  readonly #scriptBell = new Bell();
  #report = { segments: 0, spoken: 0, skipped: 0, cutOff: 0, retries: 0, fallbacks: 0, droppedTags: 0 };
  /** Parts that were not spoken, by kind. */
  readonly #leftOut = new Map<SkipKind, number>();
  readonly #ignoredTags = new Set<string>();
  #scriptEnd: { readonly error?: unknown } | undefined;
  #positionMs = 0;
  /** True after a tag or a pause: a text without words is then no error. */
  #hasDeeds = false;
  #failedInARow = 0;
  #fallbacksInARow = 0;
  #fallbackOnly = false;
  #languageWarned = false;
  #lastError: BridgeError | undefined;

  constructor(
    text: string | AsyncIterable<TextPiece>,
    options: SpeechSoundOptions & { readonly clock: Clock },
    events: Emitter<SynthesisEvents>,
  ) {
    this.#text = text;
    this.#options = options;
    this.#events = events;
  }

  get report(): SynthesisReport {
    return { ...this.#report };
  }

  /** @see speechSound */
  async *open(context: SoundContext): AsyncGenerator<PcmBlock, void, undefined> {
    const { signal } = context;
    signal.throwIfAborted();
    const onAbort = (): void => {
      this.#abort.abort(signal.reason);
      this.#soundBell.ring();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    await this.#checkText();
    this.#warnOfLacks(context);
    void this.#readScript(context);
    try {
      for (let entry = await this.#next(signal); entry; entry = await this.#next(signal)) {
        yield* this.#play(entry, context);
        this.#queue.shift();
        this.#startJobs();
        this.#scriptBell.ring();
      }
      this.#checkEnd(context);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#abort.abort(new BridgeError('SPEECH_STOPPED', 'The rest of the text is not wanted.'));
      this.#scriptBell.ring();
    }
  }

  /**
   * Checks a whole text before its first sentence sounds, so that one that the engine cannot speak is
   * refused.
   */
  async #checkText(): Promise<void> {
    const { engine, speech = {}, fallback } = this.#options;
    if (typeof this.#text !== 'string' || this.#text.length > MAX_CHECKED_CHARS || fallback || !engine.check)
      return;
    const cleaner = new TextCleaner(this.#options);
    const pieces = [...cleaner.push(this.#text), ...cleaner.flush()];
    await engine.check(pieces.map((piece) => (piece.kind === 'text' ? piece.text : '')).join(''), speech);
  }

  /** Checks the known part of a text that is still being written, when its first sound is available. */
  async #checkAhead(): Promise<void> {
    const { engine, speech = {}, fallback } = this.#options;
    if (fallback || !engine.check) return;
    for (const { job } of [...this.#queue]) if (job) await engine.check(job.text, speech);
  }

  /** Warns of requested settings that the engine cannot apply. */
  #warnOfLacks(context: SoundContext): void {
    const { engine, speech = {} } = this.#options;
    for (const key of engine.capabilities.lacks ?? []) {
      if (speech[key] === undefined) continue;
      const what = key === 'rate' ? 'speed' : 'pitch';
      context.warn(`The engine ${engine.name} cannot change its ${what}; it is left as the voice has it.`);
    }
  }

  /** Reads the script: takes steps as long as there is room ahead. */
  async #readScript(context: SoundContext): Promise<void> {
    const { signal } = this.#abort;
    try {
      const items = scriptOf(this.#text, {
        ...this.#options,
        maxColumns: this.#maxColumns(),
        signal,
        onDropped: (tag) => {
          this.#report.droppedTags++;
          context.warn(`The tag ${tag} is not in the table of tags and was left out.`);
        },
        onIgnored: (tag) => this.#warnOfMarkup(tag, context),
      });
      for await (const item of items) {
        this.#add(item, context);
        while (!this.#roomAhead() && !signal.aborted) await this.#scriptBell.wait();
        if (signal.aborted) return;
      }
      this.#scriptEnd = {};
    } catch (error) {
      this.#scriptEnd = { error };
    } finally {
      this.#soundBell.ring();
    }
  }

  /** Returns the longest segment that every engine takes; columns are never fewer than characters. */
  #maxColumns(): number | undefined {
    const { engine, fallback, maxColumns } = this.#options;
    const bounds = [engine.capabilities.maxChars, fallback?.engine.capabilities.maxChars];
    const set = bounds.filter((bound) => bound !== undefined);
    return set.length > 0 ? Math.min(maxColumns ?? MAX_COLUMNS, ...set) : maxColumns;
  }

  #warnOfMarkup(tag: string, context: SoundContext): void {
    const name = tag.toLowerCase();
    if (this.#ignoredTags.has(name) || this.#ignoredTags.size >= MAX_MARKUP_WARNINGS) return;
    this.#ignoredTags.add(name);
    context.warn(`The markup <${tag}> is not supported and was left out; its text is spoken.`);
  }

  #add(item: ScriptItem, context: SoundContext): void {
    if (item.kind === 'skipped') {
      this.#report.skipped++;
      this.#leftOut.set(item.what, (this.#leftOut.get(item.what) ?? 0) + 1);
      this.#events.emit('skipped', { text: item.text, reason: item.what, error: undefined });
      return;
    }
    if (item.kind !== 'segment') {
      this.#hasDeeds = true;
      this.#enqueue(item, undefined);
      return;
    }
    if (item.marks.length > 0) this.#hasDeeds = true;
    const said = this.#saidOf(item.text);
    const engines = [this.#options.engine, this.#options.fallback?.engine];
    for (const part of cutToFit(item, said, engines)) {
      const job = hasSpeech(part.said) ? this.#jobFor(part.said, context) : undefined;
      this.#enqueue({ kind: 'segment', text: part.text, marks: part.marks }, job);
    }
  }

  #enqueue(item: SpokenItem, job: SynthesisJob | undefined): void {
    this.#queue.push({ item, job, index: job ? this.#report.segments++ : -1 });
    this.#startJobs();
    this.#soundBell.ring();
  }

  /** Returns the text for the engine. */
  #saidOf(text: string): string {
    const { dictionary, verbatim } = this.#options;
    const clean = verbatim ? text : speakableText(text);
    return dictionary ? withoutControls(dictionary.apply(clean)) : clean;
  }

  #jobFor(said: string, context: SoundContext): SynthesisJob {
    const { engine, speech = {}, fallback, clock } = this.#options;
    const primary: Speaker = { engine, speech };
    const speakers = fallback ? (this.#fallbackOnly ? [fallback] : [primary, fallback]) : [primary];
    const job: SynthesisJob = new SynthesisJob({
      text: said,
      speakers,
      retries: this.#options.retries ?? 1,
      retryDelayMs: this.#options.retryDelayMs ?? 250,
      maxBufferedMs: this.#options.maxAheadMs ?? 20_000,
      clock,
      signal: this.#abort.signal,
      onChange: () => {
        // Counted when synthesised, not when heard: later segments are synthesised long before this one
        // sounds.
        if (job.state.kind === 'done' && job.speaker === primary) this.#fallbacksInARow = 0;
        this.#startJobs();
        this.#soundBell.ring();
        this.#scriptBell.ring();
      },
      onWarning: (message) => context.warn(message),
      onAttempt: (event, error) => this.#attempted(event, error, context),
    });
    return job;
  }

  #attempted(event: 'retry' | 'fallback', error: BridgeError, context: SoundContext): void {
    if (event === 'retry') {
      this.#report.retries++;
      return;
    }
    this.#report.fallbacks++;
    if (this.#fallbackOnly) return;
    // A sentence in another language does not predict the next one.
    if (error.code === 'LANGUAGE_UNSUPPORTED') {
      if (this.#languageWarned) return;
      this.#languageWarned = true;
      context.warn(
        `The engine ${this.#options.fallback?.engine.name ?? ''} speaks such sentences: ${error.message}`,
      );
      return;
    }
    this.#fallbacksInARow++;
    this.#fallbackOnly = isLasting(error) || this.#fallbacksInARow >= FALLBACKS_IN_A_ROW;
    const what = this.#fallbackOnly ? 'the rest of the text' : 'a sentence';
    context.warn(`The engine ${this.#options.fallback?.engine.name ?? ''} speaks ${what}: ${error.message}`);
  }

  #roomAhead(): boolean {
    // The first one in the queue is being heard; the others are ahead of it.
    return this.#queue.length <= (this.#options.maxAheadSegments ?? 3) && !this.#enoughSound();
  }

  #enoughSound(): boolean {
    const aheadMs = this.#queue.reduce((sum, { job }) => sum + (job?.bufferedMs ?? 0), 0);
    return aheadMs >= (this.#options.maxAheadMs ?? 20_000);
  }

  #startJobs(): void {
    if (this.#abort.signal.aborted) return;
    let running = 0;
    for (const { job } of this.#queue) {
      if (!job) continue;
      if (job.state.kind === 'waiting') {
        const enough = job !== this.#queue[0]?.job && this.#enoughSound();
        if (enough || running >= this.#options.engine.capabilities.parallel) return;
        job.start();
      }
      if (job.state.kind === 'running') running++;
    }
  }

  /** Returns the next step when it has come, or undefined at the end of the script. */
  async #next(signal: AbortSignal): Promise<Entry | undefined> {
    signal.throwIfAborted();
    while (!this.#queue[0] && !this.#scriptEnd) {
      await this.#soundBell.wait();
      signal.throwIfAborted();
    }
    if (!this.#queue[0] && this.#scriptEnd && 'error' in this.#scriptEnd) throw this.#scriptEnd.error;
    return this.#queue[0];
  }

  async *#play(entry: Entry, context: SoundContext): AsyncGenerator<PcmBlock, void, undefined> {
    const { item, job } = entry;
    if (item.kind === 'mark') this.#events.emit('mark', { tag: item.tag, atMs: this.#positionMs });
    else if (item.kind === 'pause') yield* this.#silence(item.ms);
    else if (job) yield* this.#speak(entry, item.text, item.marks, job, context);
    else for (const { tag } of item.marks) this.#events.emit('mark', { tag, atMs: this.#positionMs });
  }

  *#silence(ms: number): Generator<PcmBlock> {
    for (let restMs = ms; restMs > 0; restMs -= SILENCE_BLOCK_MS) {
      const lengthMs = Math.min(restMs, SILENCE_BLOCK_MS);
      yield { samples: new Int16Array(msToSamples(lengthMs)), sampleRateHz: SAMPLE_RATE_HZ, channels: 1 };
      this.#positionMs += lengthMs;
    }
  }

  async *#speak(
    { index }: Entry,
    text: string,
    marks: readonly TextMark[],
    job: SynthesisJob,
    context: SoundContext,
  ): AsyncGenerator<PcmBlock, void, undefined> {
    const startMs = this.#positionMs;
    let schedule: MarkSchedule | undefined;
    let spansTold = 0;
    while (true) {
      while (!job.ready && !context.signal.aborted) await this.#soundBell.wait();
      // A cancelled job looks like a finished one.
      context.signal.throwIfAborted();
      if (index === 0 && !schedule) await this.#checkAhead();
      const block = job.take();
      if (!block) break;
      if (!schedule) {
        this.#announce(index, text, job, context);
        schedule = new MarkSchedule(text, marks, startMs, job);
      }
      if (job.spans.length > spansTold) {
        this.#events.emit('spans', { index, startMs, spans: job.spans.slice(spansTold) });
        spansTold = job.spans.length;
      }
      const endMs = this.#positionMs + blockMs(block);
      for (const mark of schedule.due(endMs - startMs)) this.#events.emit('mark', mark);
      this.#startJobs();
      this.#scriptBell.ring();
      yield block;
      this.#positionMs = endMs;
    }
    schedule ??= new MarkSchedule(text, marks, startMs, job);
    for (const mark of schedule.rest(this.#positionMs - startMs)) this.#events.emit('mark', mark);
    if (this.#positionMs > startMs) this.#events.emit('spoken', { index, endMs: this.#positionMs });
    if (job.state.kind === 'failed') this.#failed(text, job.state.error, this.#positionMs - startMs, context);
    else this.#succeeded();
  }

  #announce(index: number, text: string, job: SynthesisJob, context: SoundContext): void {
    const { info, engineName: engine, phonemes } = job;
    if (info && this.#report.spoken + this.#report.cutOff === 0) {
      // This length is that of the first sentence; that of the whole text is unknown before its end.
      context.info({ ...info, durationMs: undefined, format: `${engine}, ${info.format}` });
    }
    this.#events.emit('segment', {
      ...{ index, text, said: job.text, startMs: this.#positionMs, engine, phonemes },
      durationMs: info?.durationMs,
    });
  }

  #succeeded(): void {
    this.#report.spoken++;
    this.#failedInARow = 0;
  }

  #failed(text: string, error: BridgeError, spokenMs: number, context: SoundContext): void {
    context.signal.throwIfAborted();
    const quoted = quote(text);
    this.#lastError = error;
    if (spokenMs > 0) {
      this.#report.cutOff++;
      context.warn(`${quoted} was cut off after ${Math.round(spokenMs)} ms: ${error.message}`);
      return;
    }
    this.#report.skipped++;
    this.#events.emit('skipped', { text, reason: 'failed', error });
    const lasting = isLasting(error) || error.code === 'LANGUAGE_UNSUPPORTED';
    const hopeless = lasting && this.#report.spoken + this.#report.cutOff === 0;
    if (hopeless || ++this.#failedInARow >= (this.#options.maxFailures ?? 3)) throw error;
    context.warn(`${quoted} was not spoken: ${error.message}`);
  }

  #checkEnd(context: SoundContext): void {
    const { spoken, cutOff, segments } = this.#report;
    if (spoken + cutOff === 0 && this.#lastError) throw this.#lastError;
    const leftOut = [...this.#leftOut].map(([what, count]) => counted(count, ...LEFT_OUT[what])).join(', ');
    if (segments === 0 && !this.#hasDeeds) {
      throw leftOut
        ? new BridgeError('TEXT_EMPTY', `Nothing of the text is to be spoken: ${leftOut} skipped.`, {
            advice: 'Use --skip none to speak everything, or name the kinds to skip.',
          })
        : new BridgeError('TEXT_EMPTY', 'There is nothing to say in the text.');
    }
    if (leftOut) context.warn(`Skipped ${leftOut}. Use --skip none to speak everything.`);
  }
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function quote(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return `'${line.length > MAX_QUOTED_CHARS ? `${line.slice(0, MAX_QUOTED_CHARS)}…` : line}'`;
}

/** Wakes one waiter. A ring without a waiter is kept for the next wait, so none is missed. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  /** Wakes the waiter, or the next one. */
  ring(): void {
    if (this.#wake) this.#wake();
    else this.#rung = true;
  }

  /** Waits for a ring. One waiter at a time. */
  async wait(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}

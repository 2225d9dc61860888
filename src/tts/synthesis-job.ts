import { delay, type Clock } from '../base/clock.js';
import { BridgeError, toBridgeError, type ErrorCode } from '../base/errors.js';
import type { PcmBlock, SoundInfo } from '../audio/pcm.js';
import type { PhonemeTiming, VoiceOptions, TextSpan, TtsEngine } from './engine.js';
import { utteranceBlocks } from './utterance.js';

/** An engine and its voice settings. */
export interface Speaker {
  readonly engine: TtsEngine;
  readonly speech: VoiceOptions;
}

/** Options of a job. */
export interface JobOptions {
  /** Text for the engine. */
  readonly text: string;
  /** Engines to try, in order. */
  readonly speakers: readonly Speaker[];
  /** Number of retries of each engine after a temporary fault. */
  readonly retries: number;
  readonly retryDelayMs: number;
  /** Limit of buffered sound above which the job stops reading, in ms. */
  readonly maxBufferedMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called after every change: a block came, room is available, it ended. */
  onChange(): void;
  onWarning(message: string): void;
  /** Called when an engine is retried or given up for the next. */
  onAttempt(event: 'retry' | 'fallback', error: BridgeError): void;
}

/** State of a job. `failed` after some sound came means that its end is missing. */
export type JobState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'running' }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: BridgeError };

/** Faults that the same engine will have with every text. */
const LASTING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ENGINE_MISSING',
  'ENGINE_KEY_MISSING',
  'ENGINE_DENIED',
  'ENGINE_UNREACHABLE',
  'VOICE_UNKNOWN',
  'OPTION_INVALID',
]);

/** True for a fault that the engine will have with the next text too. */
export function isLasting(error: BridgeError): boolean {
  return LASTING.has(error.code);
}

/**
 * Synthesis of one segment: calls an engine, retries on failure, then tries the next engine, and holds the
 * sound until it is taken. Once sound has been taken a fault ends the job, since a retry would repeat words.
 */
export class SynthesisJob {
  readonly text: string;
  readonly #options: JobOptions;
  readonly #blocks: PcmBlock[] = [];
  readonly #abort = new AbortController();
  #state: JobState = { kind: 'waiting' };
  #bufferedMs = 0;
  #taken = false;
  #roomWanted: (() => void) | undefined;
  #speaker: Speaker | undefined;
  #info: SoundInfo | undefined;
  #phonemes: readonly PhonemeTiming[] = [];
  #spans: TextSpan[] = [];
  #engineName: string | undefined;

  constructor(options: JobOptions) {
    this.text = options.text;
    this.#options = options;
  }

  get state(): JobState {
    return this.#state;
  }

  /** Buffered sound, in milliseconds. */
  get bufferedMs(): number {
    return this.#bufferedMs;
  }

  /** Current speaker; undefined before the first attempt. */
  get speaker(): Speaker | undefined {
    return this.#speaker;
  }

  /** Name of the engine that speaks; of the chosen engine where an engine chooses among others. */
  get engineName(): string {
    return this.#engineName ?? this.#speaker?.engine.name ?? '';
  }

  /** Description from the sound's head. */
  get info(): SoundInfo | undefined {
    return this.#info;
  }

  /** Phonemes; empty when the engine reports none. */
  get phonemes(): readonly PhonemeTiming[] {
    return this.#phonemes;
  }

  /** Word or character times that have come so far. */
  get spans(): readonly TextSpan[] {
    return this.#spans;
  }

  /**
   * True when a block may be taken, or none will come any more. The sound of an engine that sends whole
   * utterances is held until it is complete: it comes at once anyway, and an incomplete one can still be
   * retried.
   */
  get ready(): boolean {
    if (this.#state.kind === 'done' || this.#state.kind === 'failed') return true;
    return this.#blocks.length > 0 && !this.#holds;
  }

  get #holds(): boolean {
    return this.#speaker?.engine.capabilities.streams === false;
  }

  /** Starts the job; a second call does nothing. */
  start(): void {
    if (this.#state.kind !== 'waiting') return;
    this.#state = { kind: 'running' };
    const { signal } = this.#options;
    const onAbort = (): void => this.cancel();
    if (signal.aborted) this.cancel();
    else signal.addEventListener('abort', onAbort, { once: true });
    void this.#run().then((state) => {
      signal.removeEventListener('abort', onAbort);
      this.#state = state;
      this.#options.onChange();
    });
  }

  /** Takes the next block, if one waits. */
  take(): PcmBlock | undefined {
    if (!this.ready) return undefined;
    const block = this.#blocks.shift();
    if (!block) return undefined;
    this.#taken = true;
    this.#bufferedMs -= blockMs(block);
    this.#roomWanted?.();
    return block;
  }

  /** Ends its request at once and discards its sound. */
  cancel(): void {
    this.#abort.abort(new BridgeError('SPEECH_STOPPED', 'The rest of the text is not wanted.'));
    this.#blocks.length = 0;
    this.#bufferedMs = 0;
    this.#roomWanted?.();
  }

  async #run(): Promise<JobState> {
    const { speakers, retries, retryDelayMs, clock, onAttempt } = this.#options;
    let error = new BridgeError('INTERNAL', 'There is no engine to speak with.');
    for (const [index, speaker] of speakers.entries()) {
      if (index > 0) onAttempt('fallback', error);
      for (let attempt = 0; attempt <= retries; attempt++) {
        this.#reset(speaker);
        try {
          this.#abort.signal.throwIfAborted();
          await this.#speak(speaker);
          return { kind: 'done' };
        } catch (thrown) {
          error = toBridgeError(thrown, 'ENGINE_FAILED', `The engine ${speaker.engine.name} failed`);
          if (this.#abort.signal.aborted || this.#taken) return { kind: 'failed', error };
          if (!error.retryable || attempt === retries) break;
          onAttempt('retry', error);
          try {
            await delay(clock, retryDelayMs, this.#abort.signal);
          } catch {
            return { kind: 'failed', error };
          }
        }
      }
    }
    return { kind: 'failed', error };
  }

  #reset(speaker: Speaker): void {
    this.#speaker = speaker;
    this.#engineName = undefined;
    this.#blocks.length = 0;
    this.#bufferedMs = 0;
    this.#info = undefined;
    this.#phonemes = [];
    this.#spans = [];
  }

  async #speak({ engine, speech }: Speaker): Promise<void> {
    const { signal } = this.#abort;
    const blocks = utteranceBlocks(engine, this.text, speech, {
      signal,
      warn: this.#options.onWarning,
      engine: (name) => (this.#engineName = name),
      info: (info) => (this.#info = info),
      phonemes: (phonemes) => (this.#phonemes = phonemes),
      spans: (spans) => void this.#spans.push(...spans),
    });
    for await (const block of blocks) {
      signal.throwIfAborted();
      this.#blocks.push(block);
      this.#bufferedMs += blockMs(block);
      this.#options.onChange();
      if (!this.#holds && this.#bufferedMs >= this.#options.maxBufferedMs) await this.#room();
    }
  }

  async #room(): Promise<void> {
    while (this.#bufferedMs >= this.#options.maxBufferedMs && !this.#abort.signal.aborted) {
      await new Promise<void>((resolve) => (this.#roomWanted = resolve));
      this.#roomWanted = undefined;
    }
  }
}

/** Returns the duration of a block, in milliseconds. */
export function blockMs({ samples, channels, sampleRateHz }: PcmBlock): number {
  return (samples.length / channels / sampleRateHz) * 1000;
}

import { toBridgeError, type BridgeError } from '../base/errors.js';
import { msToSamples } from '../base/units.js';
import type { Sound } from '../audio/pcm.js';
import type { ActiveSpeech } from './active-speech.js';
import { sendCue } from './cue-sender.js';
import { Feed } from './feed.js';
import type { PlayerContext } from './player-context.js';
import type { SpokenSentence } from './speech.js';
import type { TimerTask } from './timer-wheel.js';

/** Access of a performed sound to its agent, during its turn. */
export interface Stage {
  /** Aborted to silence it; `perform` then settles as soon as it is silent. */
  readonly signal: AbortSignal;
  /** Sends a command line to the agent. */
  send(line: string): void;
  /** Subscribes to the agent's messages; the returned function unsubscribes. */
  onMessage(listener: (text: string) => void): () => void;
  /** Reports that the sound begins. */
  started(): void;
  /**
   * Settles at once, or after the pause while the agent is paused; called between two sentences. @throws the
   * signal's reason
   */
  resumed(): Promise<void>;
  /** Reports the begin or the end of a sentence. */
  sentence(sentence: SpokenSentence): void;
  /** Reports a fault that does not end the sound, as a sentence. */
  warn(message: string): void;
}

/**
 * A sound that the agent makes itself, such as by its own speech synthesis: only commands are sent. It takes
 * its turn among the other speeches. Its `open` is never called.
 */
export interface PerformedSound extends Sound {
  /**
   * Performs the sound, at its turn.
   * @returns when it has been heard or is silent
   * @throws BridgeError when it could not be performed
   */
  perform(stage: Stage): Promise<void>;
}

/** True for a sound that the agent makes itself. */
export function isPerformed(sound: Sound): sound is PerformedSound {
  return 'perform' in sound;
}

/** Feed of a performed speech, which has no samples. */
export class PerformedFeed extends Feed {
  readonly performed: PerformedSound;
  /** Time it sounded, in ms, set at its end. */
  heardMs: number | undefined;

  constructor(sound: PerformedSound, options: ConstructorParameters<typeof Feed>[1]) {
    super(sound, options);
    this.performed = sound;
  }

  override start(): void {
    // A performed sound starts at its turn, so nothing is read ahead.
  }

  override get durationMs(): number | undefined {
    return this.heardMs;
  }
}

/** Interval of checks of cues and position of a performed speech, in ms. */
const TICK_MS = 20;
/** Ticks between two position events. */
const TICKS_PER_POSITION = 5;

/** Runs the speech that an agent performs itself; one at a time. */
export class Performing {
  readonly #context: PlayerContext;
  readonly #task: TimerTask;
  #run: ActiveSpeech | undefined;
  #feed: PerformedFeed | undefined;
  #abort = new AbortController();
  #startedAtMs: number | undefined;
  #ticks = 0;
  #held = false;
  #released: (() => void) | undefined;

  constructor(context: PlayerContext) {
    this.#context = context;
    this.#task = context.wheel.task((nowMs) => this.#tick(nowMs));
  }

  /** The run that is performed, if any. */
  get run(): ActiveSpeech | undefined {
    return this.#run;
  }

  /** Returns the part of `run` that has been heard, in ms. */
  heardMs(run: ActiveSpeech): number {
    if (run !== this.#run || this.#startedAtMs === undefined) return 0;
    return this.#context.clock.nowMs() - this.#startedAtMs;
  }

  /** Performs a run. No other may be performed at the time. */
  begin(run: ActiveSpeech, feed: PerformedFeed): void {
    this.#run = run;
    this.#feed = feed;
    this.#startedAtMs = undefined;
    this.#ticks = 0;
    const abort = (this.#abort = new AbortController());
    const { sink } = this.#context;
    const stage: Stage = {
      signal: abort.signal,
      send: (line) => sink.command(line),
      onMessage: (listener) => sink.onMessage(listener),
      started: () => this.#started(run),
      resumed: () => this.#whenResumed(run, abort.signal),
      sentence: (sentence) => run.speech.tell('sentence', sentence),
      warn: (message) => run.speech.tell('warning', message),
    };
    feed.performed.perform(stage).then(
      () => this.#ended(run, undefined),
      (error: unknown) => this.#ended(run, error),
    );
  }

  /** Stops the run: it ends as soon as the agent is silent. */
  stop(reason: BridgeError): void {
    const run = this.#run;
    if (!run || run.outcome) return;
    run.outcome = { how: 'stopped', error: reason };
    if (this.#startedAtMs !== undefined) {
      if (run.speech.state === 'paused') run.speech.enter('speaking');
      run.speech.enter('draining');
    }
    this.#abort.abort(reason);
  }

  /** Pauses at the end of the sentence. */
  hold(): void {
    this.#held = true;
  }

  /** Continues after a pause. */
  release(): void {
    this.#held = false;
    this.#released?.();
  }

  /** Starts to check the cues and the position of the run. */
  follow(): void {
    if (this.#startedAtMs !== undefined && !this.#task.asked) this.#tick(this.#context.clock.nowMs());
  }

  /** Ends the run at once, because the agent is lost or the player is closed. @returns the run, if any */
  abandon(reason: BridgeError): ActiveSpeech | undefined {
    const run = this.#run;
    this.#forget(run);
    this.#abort.abort(reason);
    return run;
  }

  #started(run: ActiveSpeech): void {
    if (run !== this.#run || this.#startedAtMs !== undefined || run.outcome) return;
    this.#startedAtMs = this.#context.clock.nowMs();
    run.speech.enter('speaking');
    run.speech.markStarted();
    this.#tick(this.#startedAtMs);
  }

  async #whenResumed({ speech }: ActiveSpeech, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#held) return;
    if (speech.state === 'speaking') speech.enter('paused');
    await new Promise<void>((resolve, reject) => {
      this.#released = resolve;
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    if (speech.state === 'paused') speech.enter('speaking');
  }

  #tick(nowMs: number): void {
    const run = this.#run;
    if (!run || this.#startedAtMs === undefined) return;
    const { cues, speech } = run;
    const elapsedMs = nowMs - this.#startedAtMs;
    if (!run.outcome) {
      for (const cue of cues.takeDue(msToSamples(elapsedMs) + 1)) sendCue(this.#context.sink, run, cue);
    }
    if (speech.followed && this.#ticks++ % TICKS_PER_POSITION === 0) speech.tell('position', speech.position);
    if (cues.size > 0 || speech.followed) this.#task.at(nowMs + TICK_MS);
  }

  #ended(run: ActiveSpeech, thrown: unknown): void {
    if (run !== this.#run) return;
    const heardMs = this.heardMs(run);
    this.#forget(run);
    const { listener } = this.#context;
    const { label } = run.speech;
    if (run.outcome) listener.ended(run, { ...run.outcome, heardMs });
    else if (thrown === undefined) listener.ended(run, { how: 'completed', error: undefined, heardMs });
    else {
      const error = toBridgeError(thrown, 'INTERNAL', `The speech of ${label} broke off`);
      listener.ended(run, { how: 'failed', error, heardMs });
    }
    listener.advance();
  }

  #forget(run: ActiveSpeech | undefined): void {
    if (run && this.#feed) this.#feed.heardMs = this.heardMs(run);
    this.#run = undefined;
    this.#feed = undefined;
    this.#task.cancel();
  }
}

import { toBridgeError, type BridgeError } from '../base/errors.js';
import { msToSamples } from '../base/units.js';
import type { Sound } from '../audio/pcm.js';
import type { ActiveSpeech } from './active-speech.js';
import { sendCue } from './cue-sender.js';
import { Feed } from './feed.js';
import type { PlayerContext } from './player-context.js';
import type { SpokenSentence } from './speech.js';
import type { TimerTask } from './timer-wheel.js';

/** What a performed sound has of its agent, at its turn. */
export interface Stage {
  /** Aborted when it is to fall silent: `perform` then settles as soon as it is. */
  readonly signal: AbortSignal;
  /** Sends a command line to the agent. */
  send(line: string): void;
  /** Listens to the agent's messages until the returned function is called. */
  onMessage(listener: (text: string) => void): () => void;
  /** It begins to sound. */
  started(): void;
  /** Settles at once, or while the agent is paused when it goes on: between two sentences. @throws the signal's reason */
  resumed(): Promise<void>;
  /** Tells of a sentence that begins or is over. */
  sentence(sentence: SpokenSentence): void;
  /** Tells of a fault that does not end it, as a sentence. */
  warn(message: string): void;
}

/**
 * A sound that the agent makes by itself, such as by its own speech synthesis: nothing is sent but commands. It takes its
 * turn among the other speeches. Its `open` is never called.
 */
export interface PerformedSound extends Sound {
  /**
   * Performs it, at its turn.
   * @returns once it has been heard or has fallen silent
   * @throws BridgeError when it could not be performed
   */
  perform(stage: Stage): Promise<void>;
}

/** True for a sound that the agent makes by itself. */
export function isPerformed(sound: Sound): sound is PerformedSound {
  return 'perform' in sound;
}

/** Stands where other speeches have their samples. */
export class PerformedFeed extends Feed {
  readonly performed: PerformedSound;
  /** How long it sounded, in ms, once it is over. */
  heardMs: number | undefined;

  constructor(sound: PerformedSound, options: ConstructorParameters<typeof Feed>[1]) {
    super(sound, options);
    this.performed = sound;
  }

  override start(): void {
    // Nothing is read ahead: it begins at its turn.
  }

  override get durationMs(): number | undefined {
    return this.heardMs;
  }
}

/** The cues and the position of a performed speech are looked after this often, in ms. */
const TICK_MS = 20;
/** A position is told so often, in ticks. */
const TICKS_PER_POSITION = 5;

/** The speech of an agent that the agent utters by itself; one at a time. */
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

  /** How much of `run` has been heard by now, in ms. */
  heardMs(run: ActiveSpeech): number {
    if (run !== this.#run || this.#startedAtMs === undefined) return 0;
    return this.#context.clock.nowMs() - this.#startedAtMs;
  }

  /** Performs a run. None must be performed. */
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

  /** Ends it: it falls silent as soon as the agent can, and has ended then. */
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

  /** Holds it at the end of its sentence. */
  hold(): void {
    this.#held = true;
  }

  /** Goes on. */
  release(): void {
    this.#held = false;
    this.#released?.();
  }

  /** Looks after the cues and the position of a run, from now on. */
  follow(): void {
    if (this.#startedAtMs !== undefined && !this.#task.asked) this.#tick(this.#context.clock.nowMs());
  }

  /** The agent is lost, or the player is closed: nothing more will be heard of it. @returns the run it had, if any */
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

import { BridgeError } from '../base/errors.js';
import { msToSamples } from '../base/units.js';
import type { ActiveSpeech } from './active-speech.js';
import type { Cue, Notice } from './cues.js';
import { CueSender } from './cue-sender.js';
import { Pacer } from './pacer.js';
import type { PlayerContext } from './player-context.js';
import type { SpeechQueue } from './queue.js';
import type { SpeechEndKind } from './speech.js';
import type { TimerTask } from './timer-wheel.js';

/** Held sound, in ms, at which the segment is closed without a joining speech that is not ready. */
const JOIN_UNTIL_HELD_MS = 20;
/** Interval of position events, in ms. */
const POSITION_EVERY_MS = 100;

/**
 * Tracks runs from the first frame until they have been heard: first the pacer sends a run's frames (it
 * feeds), then the agent plays the sound it holds (it drains). One run feeds at a time; earlier ones may
 * still drain. No timer runs while nobody needs it.
 */
export class Playing {
  readonly #context: PlayerContext;
  readonly #queue: SpeechQueue;
  readonly #pacer: Pacer;
  readonly #cues: CueSender;
  readonly #watchTask: TimerTask;
  readonly #stallTask: TimerTask;
  /** Runs that were sent completely and are not yet heard to their end, in order. */
  #draining: ActiveSpeech[] = [];

  /** @param queue tells which speech joins the one that feeds */
  constructor(context: PlayerContext, queue: SpeechQueue) {
    this.#context = context;
    this.#queue = queue;
    const { wheel } = context;
    this.#cues = new CueSender(context, () => this.active);
    this.#pacer = new Pacer(context, {
      frameLeft: (run, first) => this.#frameLeft(run, first),
      exhausted: (run, nowMs) => this.#exhausted(run, nowMs),
    });
    this.#watchTask = wheel.task((nowMs) => this.#watch(nowMs));
    this.#stallTask = wheel.task(() => this.#giveUp());
  }

  /** The run whose frames are sent, if any. */
  get feeding(): ActiveSpeech | undefined {
    return this.#pacer.run;
  }

  /** True while a completely sent run is not heard to its end. */
  get draining(): boolean {
    return this.#draining.length > 0;
  }

  /** Runs sent to the agent and not yet played to their end, in order. */
  get active(): ActiveSpeech[] {
    const { feeding } = this;
    return feeding ? [...this.#draining, feeding] : [...this.#draining];
  }

  /** Returns the part of `run` that has been heard, in ms. */
  heardMs(run: ActiveSpeech): number {
    return run.heardMs(this.#context.playback.heardSamples(this.#now()));
  }

  /** Starts to send the frames of `run`. No other may be feeding. */
  begin(run: ActiveSpeech): void {
    if (!this.draining) this.#reset();
    this.#pacer.feed(run);
    this.#pacer.pump(this.#now());
  }

  /** Handles new samples of the run that feeds, or of one that is to join it. */
  fed(): void {
    this.#pacer.fed(this.#now());
  }

  /** Holds the frames back: the sound fades out; sound the agent holds is still heard. */
  hold(fadeMs: number): void {
    this.#pacer.hold(fadeMs);
    if (this.feeding?.begun) this.feeding.speech.enter('paused');
  }

  /** Continues to send frames. */
  release(): void {
    if (this.feeding?.speech.state === 'paused') this.feeding.speech.enter('speaking');
    this.#pacer.release(this.#now());
  }

  /** Ends the run that feeds: its fade is sent, and it drains. */
  cut(run: ActiveSpeech, fadeMs: number, reason: BridgeError): void {
    if (!run.begun) return this.#context.listener.ended(run, { how: 'stopped', error: reason, heardMs: 0 });
    this.#pacer.cut(run, fadeMs);
    void run.feed.cancel();
    this.#cues.drop(run);
    this.#drain(run, 'stopped', reason);
  }

  /** Starts to watch positions, because a speech began or got its first listener. */
  follow(): void {
    if (this.#watched && !this.#watchTask.asked) this.#watchNext(this.#now());
  }

  /** Adds a cue to any run, and sends it if it is due. */
  addCue(run: ActiveSpeech, cue: Cue | Notice): void {
    run.cues.add(cue);
    this.#cues.send(this.#now());
  }

  /**
   * Removes a run that has ended. Its remaining cues are sent if it was heard to its end, otherwise dropped.
   */
  remove(run: ActiveSpeech, how: SpeechEndKind): void {
    if (this.#pacer.run === run) this.#pacer.feed(undefined);
    this.#draining = this.#draining.filter((other) => other !== run);
    if (how === 'completed') this.#cues.finish(run);
    else this.#cues.drop(run);
  }

  /**
   * Handles the loss of the agent: all active runs end, except those that resume later.
   * @returns the runs that resume, in order, rewound to the part that was heard
   */
  lost(error: BridgeError): ActiveSpeech[] {
    const heardTo = this.#context.playback.heardSamples(this.#now());
    const hit = this.active;
    this.#draining = [];
    this.#pacer.feed(undefined);
    const resumed: ActiveSpeech[] = [];
    for (const run of hit) {
      if (run.speech.options.onAgentLost === 'resume' && run.outcome?.how !== 'stopped') {
        const heard = Math.floor(run.fromSchedule(heardTo));
        run.rewind(heard, this.#pacer.lastSent(run, run.sentSamples - heard));
        run.speech.enter('queued');
        resumed.push(run);
      } else {
        this.#context.listener.ended(run, { how: 'avatar-lost', error, heardMs: run.heardMs(heardTo) });
      }
    }
    this.#reset();
    return resumed;
  }

  /** Handles a change of the agent's reading: it was found to have stopped, or reads again. */
  readingChanged(): void {
    const nowMs = this.#now();
    const resumed = this.#context.playback.readingChanged(nowMs);
    this.#watchStall();
    if (!resumed) return;
    const { atSample, silentMs } = resumed;
    // The gap belongs to the run that continues, or that still has sound to send.
    const cut = this.active.find(
      (run) =>
        run.begun && (run.endSample > atSample || (run === this.feeding && run.speech.state !== 'paused')),
    );
    if (cut && silentMs > 0) this.#context.listener.gap(cut, silentMs, 'agent');
    this.#pacer.pump(nowMs);
    this.#watch(nowMs);
  }

  /** Stops all tasks without ending the runs. */
  close(): void {
    this.#pacer.feed(undefined);
    this.#cues.close();
    this.#watchTask.cancel();
    this.#stallTask.cancel();
  }

  /** Starts a new schedule, for the first speech after a silence or for a new connection. */
  #reset(): void {
    this.#context.playback.reset();
    this.#pacer.reset();
    this.#watchStall();
  }

  #frameLeft(run: ActiveSpeech, first: boolean): void {
    if (first) {
      run.speech.enter('speaking');
      this.follow();
    }
    if (run.cues.size > 0) this.#cues.arm();
  }

  /**
   * Handles a completely sent run: a joining speech continues in the same segment, otherwise the segment
   * ends.
   */
  #exhausted(run: ActiveSpeech, nowMs: number): boolean {
    const { listener, playback } = this.#context;
    const { error } = run.feed;
    const next = run.begun && !error ? this.#queue.joiner(run) : undefined;
    if (next) {
      next.feed.start();
      if (next.feed.bufferedSamples > 0) {
        this.#queue.join(next);
        this.#drain(run, 'completed', undefined);
        this.#pacer.feed(next);
        return true;
      }
      const heldSamples = playback.schedule.heldSamples(nowMs);
      if (!next.feed.ended && heldSamples > msToSamples(JOIN_UNTIL_HELD_MS)) return false;
    }
    if (run.begun) {
      this.#pacer.endSegment(run);
      this.#drain(run, error ? 'failed' : 'completed', error);
    } else {
      listener.ended(run, { how: 'failed', error: error ?? run.emptyError(), heardMs: 0 });
    }
    listener.advance();
    return false;
  }

  /** Moves a completely sent run to the draining ones. */
  #drain(run: ActiveSpeech, how: SpeechEndKind, error: BridgeError | undefined): void {
    if (this.#pacer.run === run) this.#pacer.feed(undefined);
    run.outcome = { how, error };
    run.speech.enter('draining');
    this.#draining.push(run);
    this.#watchNext(this.#now());
  }

  /** Marks starts, reports positions, and ends each run whose last sample has been heard. */
  #watch(nowMs: number): void {
    const { playback, listener } = this.#context;
    this.#watchTask.cancel();
    const heard = playback.heardSamples(nowMs);
    for (const run of this.active) {
      if (run.begun && run.fromSchedule(heard) > 0) run.speech.markStarted();
      if (run.speech.followed) run.speech.tell('position', run.speech.position);
    }
    for (const run of [...this.#draining]) {
      if (playback.frozen || nowMs < playback.silentAtMs(run.endSample)) continue;
      listener.ended(run, { ...run.outcome!, heardMs: run.heardMs(Infinity) });
    }
    if (this.#watched && !this.#watchTask.asked) this.#watchNext(nowMs);
    listener.advance();
  }

  /**
   * True when a run must be watched. A run in progress without listeners needs no watch: its next event is
   * the end of its sound.
   */
  get #watched(): boolean {
    const speech = this.feeding?.speech;
    return this.draining || (speech !== undefined && (speech.followed || !speech.hasStarted));
  }

  #watchNext(nowMs: number): void {
    const { playback } = this.#context;
    const latestMs = nowMs + POSITION_EVERY_MS;
    let atMs = latestMs;
    for (const run of this.#draining) atMs = Math.min(atMs, playback.silentAtMs(run.endSample));
    for (const run of this.active) {
      if (run.begun && !run.speech.hasStarted)
        atMs = Math.min(atMs, playback.heardAtMs(run.toSchedule(0) + 1));
    }
    // An overdue run waits for the agent to read again; it is checked at the interval of positions.
    this.#watchTask.at(atMs <= nowMs ? latestMs : atMs);
  }

  /**
   * Starts the stall timeout: an agent that has hung keeps its connection, so its speech must be given up
   * (protocol.md §1).
   */
  #watchStall(): void {
    this.#stallTask.cancel();
    if (this.#context.playback.frozen) this.#stallTask.at(this.#now() + this.#context.stallTimeoutMs);
  }

  /** Ends the active runs of an agent that has hung. */
  #giveUp(): void {
    const { playback, listener, stallTimeoutMs } = this.#context;
    if (!playback.frozen || this.active.length === 0) return;
    const heardTo = playback.heardSamples(this.#now());
    // Closes the segment, so that the next one is complete if the agent recovers.
    if (this.feeding?.begun) this.#pacer.cut(this.feeding, 0);
    for (const run of this.active) {
      const error = new BridgeError(
        'AGENT_STALLED',
        `The agent has read nothing for ${Math.round(stallTimeoutMs / 1000)} s; the speech of ${run.speech.label} was given up.`,
      );
      listener.ended(run, { how: 'failed', error, heardMs: run.heardMs(heardTo) });
    }
    listener.advance();
  }

  #now(): number {
    return this.#context.clock.nowMs();
  }
}

import type { Clock } from '../base/clock.js';
import type { PlaybackClock } from './playback-clock.js';
import type { ActiveSpeech } from './active-speech.js';
import type { TimerWheel, TimerTask } from './timer-wheel.js';

const POSITION_EVERY_MS = 100;

/** What a heardTracker stands on, and whom it tells. */
export interface HeardTrackerOptions {
  readonly playback: PlaybackClock;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  /** How long the agent may not read before what it was to play is given up, in ms. */
  readonly stallTimeoutMs: number;
  /** The run whose frames still leave, if any. */
  feeding(): ActiveSpeech | undefined;
  /** Somebody follows this run: where it is. */
  onPosition(run: ActiveSpeech): void;
  /** All of it has been heard. */
  onHeard(run: ActiveSpeech): void;
  /** The agent has not read for `stallTimeoutMs`. */
  onGivenUp(): void;
  /** It has looked: whatever waited for a speech to be heard may go on. */
  onWatched(): void;
}

/**
 * Follows what the agent has been sent until it has been heard: marks the starts, tells the positions, and says of
 * each run when its last sample was heard. Nothing is asked of the wheel while nobody needs an answer.
 */
export class HeardTracker {
  readonly #options: HeardTrackerOptions;
  #draining: ActiveSpeech[] = [];
  #task: TimerTask | undefined;
  #stallTask: TimerTask | undefined;

  constructor(options: HeardTrackerOptions) {
    this.#options = options;
  }

  /** The runs that have left whole and are not heard to their end, in order. */
  get draining(): readonly ActiveSpeech[] {
    return this.#draining;
  }

  /** What the agent has been sent and has not yet played to its end, in order. */
  get active(): ActiveSpeech[] {
    const feeding = this.#options.feeding();
    return feeding ? [...this.#draining, feeding] : [...this.#draining];
  }

  /** All of `run` has left. */
  drain(run: ActiveSpeech): void {
    this.#draining.push(run);
    this.#task?.cancel();
    this.#task = this.#watchAt(this.#options.clock.nowMs() + POSITION_EVERY_MS);
  }

  /** Forgets a run. */
  drop(run: ActiveSpeech): void {
    this.#draining = this.#draining.filter((other) => other !== run);
  }

  /** Forgets all that had left: its agent is lost. */
  clear(): void {
    this.#draining = [];
  }

  /** A speech began, or somebody begins to follow one. */
  follow(): void {
    if (!this.#task && this.#wanted)
      this.#task = this.#watchAt(this.#options.clock.nowMs() + POSITION_EVERY_MS);
  }

  /** Looks now. */
  watch(nowMs: number): void {
    this.#task?.cancel();
    this.#task = undefined;
    const { playback } = this.#options;
    const heard = playback.heardSamples(nowMs);
    for (const run of this.active) {
      if (run.begun && run.fromSchedule(heard) > 0) run.speech.markStarted();
      if (run.speech.followed) this.#options.onPosition(run);
    }
    for (const run of this.#draining) {
      if (playback.frozen || nowMs < playback.silentAtMs(run.endSample)) continue;
      this.#options.onHeard(run);
    }
    if (this.#wanted) this.#task ??= this.#watchAt(nowMs + POSITION_EVERY_MS);
    this.#options.onWatched();
  }

  /**
   * The agent has stopped reading, or reads again, or is another one. One that has hung for good keeps its connection:
   * somebody has to give up (protocol.md §1).
   */
  readingChanged(): void {
    this.#stallTask?.cancel();
    this.#stallTask = undefined;
    const { playback, wheel, clock, stallTimeoutMs } = this.#options;
    if (!playback.frozen) return;
    this.#stallTask = wheel.at(clock.nowMs() + stallTimeoutMs, () => {
      this.#stallTask = undefined;
      if (playback.frozen && this.active.length > 0) this.#options.onGivenUp();
    });
  }

  /** Ends it. */
  close(): void {
    this.#task?.cancel();
    this.#stallTask?.cancel();
  }

  /** A run in mid-flow that nobody follows needs no watch: its next event is the end of its sound. */
  get #wanted(): boolean {
    const speech = this.#options.feeding()?.speech;
    return this.#draining.length > 0 || (speech !== undefined && (speech.followed || !speech.hasStarted));
  }

  #watchAt(latestMs: number): TimerTask {
    const { playback, wheel, clock } = this.#options;
    let atMs = latestMs;
    for (const run of this.#draining) atMs = Math.min(atMs, playback.silentAtMs(run.endSample));
    for (const run of this.active) {
      if (run.begun && !run.speech.hasStarted)
        atMs = Math.min(atMs, playback.heardAtMs(run.toSchedule(0) + 1));
    }
    // One that is overdue waits for the agent to read again; it is looked at no more often than a position.
    return wheel.at(atMs <= clock.nowMs() ? latestMs : atMs, (nowMs) => this.watch(nowMs));
  }
}

import type { Clock } from '../base/clock.js';
import type { Emitter } from '../base/emitter.js';
import type { BridgeError } from '../base/errors.js';
import { msToSamples } from '../base/units.js';
import type { Gain } from '../audio/gain.js';
import type { Cue } from './cues.js';
import { CueSender } from './cue-sender.js';
import { emptyError, givenUpError, type Ending } from './ending.js';
import type { Lead } from './lead.js';
import { PlaybackClock } from './playback-clock.js';
import { Pacer, type FrameTiming } from './pacer.js';
import type { PlayerEvents } from './player-options.js';
import { HeardTracker } from './heard-tracker.js';
import type { ActiveSpeech } from './active-speech.js';
import type { FrameSink } from './sink.js';
import type { SpeechEndKind } from './speech.js';
import type { TimerWheel } from './timer-wheel.js';

/** A speech that joins has until the agent holds only this much, in ms, before the segment is closed without it. */
const JOIN_UNTIL_HELD_MS = 20;

/** What a delivery stands on, and whom it tells. */
export interface DeliveryOptions {
  readonly sink: FrameSink;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  readonly frameMs: number;
  readonly bufferMs: number;
  readonly stallTimeoutMs: number;
  /** The agent's volume, over that of each speech. */
  readonly volume: Gain;
  /** What the agent may hold, unless a speech says otherwise. */
  readonly lead: Lead;
  /** The player's: told of gaps. */
  readonly events: Emitter<PlayerEvents>;
  /** The run that is to go on in the same segment where `run` ends, if one is. */
  joiner(run: ActiveSpeech): ActiveSpeech | undefined;
  /** That run begins. */
  onJoined(run: ActiveSpeech): void;
  /** A run is at its end. */
  onEnd(run: ActiveSpeech, ending: Ending): void;
  /** Another one may be able to begin. */
  onFree(): void;
}

/** Is told of each frame that left: its samples, and how well in time where that can be said. */
export type FrameObserver = (samples: number, timing: FrameTiming | undefined) => void;

/**
 * The way of a speech from its first frame until it has been heard: its frames leave by the pacer (it feeds), then the
 * agent plays what it holds (it drains). One feeds at a time; others may drain before it.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #events: Emitter<PlayerEvents>;
  readonly #playback: PlaybackClock;
  readonly #pacer: Pacer;
  readonly #heardTracker: HeardTracker;
  readonly #cues: CueSender;
  #observer: FrameObserver | undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#events = options.events;
    const { sink, wheel, clock, frameMs, bufferMs, stallTimeoutMs, volume, lead } = options;
    this.#playback = new PlaybackClock(sink, wheel, clock);
    this.#cues = new CueSender(this.#playback, wheel, sink, () => this.#heardTracker.active);
    this.#pacer = new Pacer({
      playback: this.#playback,
      wheel,
      frameMs,
      bufferMs,
      volume,
      lead,
      onBegun: (run) => {
        run.speech.enter('speaking');
        this.#heardTracker.follow();
      },
      onFrame: (run, samples, timing) => this.#onFrame(run, samples, timing),
      onGap: (run, lengthMs, cause) => this.#onGap(run, lengthMs, cause),
      onPause: (run, afterMs) =>
        run.speech.tell(
          'warning',
          `${run.speech.label} has paused: nothing came for ${Math.round(afterMs)} ms.`,
        ),
      onExhausted: (run, nowMs) => this.#onExhausted(run, nowMs),
    });
    this.#heardTracker = new HeardTracker({
      playback: this.#playback,
      wheel,
      clock,
      stallTimeoutMs,
      feeding: () => this.#pacer.run,
      onPosition: (run) => run.speech.tell('position', run.speech.position),
      onHeard: (run) => options.onEnd(run, { ...run.outcome!, heardMs: run.heardMs(Infinity) }),
      onGivenUp: () => this.#giveUp(),
      onWatched: () => options.onFree(),
    });
  }

  /** The run whose frames leave, if any. */
  get feeding(): ActiveSpeech | undefined {
    return this.#pacer.run;
  }

  /** True while one that has left whole is not heard to its end. */
  get draining(): boolean {
    return this.#heardTracker.draining.length > 0;
  }

  /** All that the agent has been sent and has not yet played to their end, in order. */
  get active(): ActiveSpeech[] {
    return this.#heardTracker.active;
  }

  /** What the agent holds unplayed by now, in ms. */
  get heldMs(): number {
    return this.#playback.heldMs;
  }

  /** How much of `run` has been heard by now, in ms. */
  heardMs(run: ActiveSpeech): number {
    return run.heardMs(this.#playback.heardSamples(this.#now()));
  }

  /** Lets the frames of `run` leave. None must be feeding. */
  begin(run: ActiveSpeech): void {
    if (!this.draining) this.#reset();
    this.#pacer.feed(run);
    this.#pacer.pump(this.#now());
  }

  /** Samples came of the run that feeds, or of one that is to join it. */
  fed(): void {
    this.#pacer.fed(this.#now());
  }

  /** Has one observer look at each frame that leaves, or none. */
  observeFrames(observer: FrameObserver | undefined): void {
    this.#observer = observer;
  }

  /** Holds the frames back: the sound fades, what the agent holds still sounds. */
  hold(fadeMs: number): void {
    this.#pacer.hold(fadeMs);
    if (this.feeding?.begun) this.feeding.speech.enter('paused');
  }

  /** Lets frames go again. */
  release(): void {
    if (this.feeding?.speech.state === 'paused') this.feeding.speech.enter('speaking');
    this.#pacer.release(this.#now());
  }

  /** Ends the run that feeds: a fade of it leaves, and it drains. */
  cut(run: ActiveSpeech, fadeMs: number, reason: BridgeError): void {
    if (!run.begun) return this.#options.onEnd(run, { how: 'stopped', error: reason, heardMs: 0 });
    this.#pacer.cut(run, fadeMs);
    void run.feed.cancel();
    this.#cues.drop(run);
    this.#drain(run, 'stopped', reason);
  }

  /** Somebody follows the position of a speech from now on. */
  follow(): void {
    this.#heardTracker.follow();
  }

  /** Adds a cue to any run, and sends it if it is due already. */
  addCue(run: ActiveSpeech, cue: Cue): void {
    run.cues.add(cue);
    this.#cues.send(this.#now());
  }

  /** Forgets a run that has ended, and what cues it still had: sent if it was heard to its end, else dropped. */
  remove(run: ActiveSpeech, how: SpeechEndKind): void {
    if (this.#pacer.run === run) this.#pacer.feed(undefined);
    this.#heardTracker.drop(run);
    if (how === 'completed') this.#cues.finish(run);
    else this.#cues.drop(run);
  }

  /**
   * The agent is lost: all that it had been sent ends, but for those that by their option go on later.
   * @returns these, in order, back at what was heard of them
   */
  lost(error: BridgeError): ActiveSpeech[] {
    const heardTo = this.#playback.heardSamples(this.#now());
    const hit = this.active;
    this.#heardTracker.clear();
    this.#pacer.feed(undefined);
    const resumed: ActiveSpeech[] = [];
    for (const run of hit) {
      if (run.speech.options.onAgentLost === 'resume' && run.outcome?.how !== 'stopped') {
        const heard = Math.floor(run.fromSchedule(heardTo));
        run.rewind(heard, this.#pacer.lastSent(run, run.sentSamples - heard));
        run.speech.enter('queued');
        resumed.push(run);
      } else {
        this.#options.onEnd(run, { how: 'avatar-lost', error, heardMs: run.heardMs(heardTo) });
      }
    }
    this.#reset();
    return resumed;
  }

  /** The agent's reading changed: it was found to have stopped, or reads again. */
  readingChanged(): void {
    const nowMs = this.#now();
    const readsAgain = this.#playback.readingChanged(nowMs);
    this.#heardTracker.readingChanged();
    if (!readsAgain) return;
    this.#pacer.pump(nowMs);
    this.#heardTracker.watch(nowMs);
  }

  /** Ends it, without a word. */
  close(): void {
    this.#pacer.feed(undefined);
    this.#cues.close();
    this.#heardTracker.close();
  }

  /** Begins anew: with the first speech after a silence, or with a new connection. */
  #reset(): void {
    this.#playback.reset();
    this.#pacer.reset();
    this.#heardTracker.readingChanged();
  }

  #onFrame(run: ActiveSpeech, samples: number, timing: FrameTiming | undefined): void {
    this.#observer?.(samples, timing);
    if (run.cues.size > 0) this.#cues.arm();
  }

  #onGap({ speech }: ActiveSpeech, lengthMs: number, cause: 'source' | 'stall'): void {
    this.#events.emit('gap', { speech, lengthMs, cause });
    const reason =
      cause === 'source' ? 'the sound came late' : 'the process was stalled for longer than the lead';
    speech.tell('warning', `A silence of ${Math.round(lengthMs)} ms: ${reason}.`);
  }

  /** All of `run` has left: a speech that joins takes its place in the same segment, else the segment ends. */
  #onExhausted(run: ActiveSpeech, nowMs: number): boolean {
    const { error } = run.feed;
    const next = run.begun && !error ? this.#options.joiner(run) : undefined;
    if (next) {
      next.feed.start();
      if (next.feed.bufferedSamples > 0) {
        this.#options.onJoined(next);
        this.#drain(run, 'completed', undefined);
        this.#pacer.feed(next);
        return true;
      }
      const held = this.#playback.schedule.at(nowMs).heldSamples;
      if (!next.feed.ended && held > msToSamples(JOIN_UNTIL_HELD_MS)) return false;
    }
    if (run.begun) {
      this.#pacer.endSegment(run);
      this.#drain(run, error ? 'failed' : 'completed', error);
    } else {
      this.#options.onEnd(run, { how: 'failed', error: error ?? emptyError(run), heardMs: 0 });
    }
    this.#options.onFree();
    return false;
  }

  #drain(run: ActiveSpeech, how: SpeechEndKind, error: BridgeError | undefined): void {
    if (this.#pacer.run === run) this.#pacer.feed(undefined);
    run.outcome = { how, error };
    run.speech.enter('draining');
    this.#heardTracker.drain(run);
  }

  /** The agent has hung, and may never let go of its connection: what it was to play ends here. */
  #giveUp(): void {
    const heardTo = this.#playback.heardSamples(this.#now());
    // Closed, so that the next is whole should the agent wake up.
    if (this.feeding?.begun) this.#pacer.cut(this.feeding, 0);
    for (const run of this.active) {
      const error = givenUpError(run, this.#options.stallTimeoutMs);
      this.#options.onEnd(run, { how: 'failed', error, heardMs: run.heardMs(heardTo) });
    }
    this.#options.onFree();
  }

  #now(): number {
    return this.#options.clock.nowMs();
  }
}

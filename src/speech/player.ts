import { BridgeError, toBridgeError } from '../base/errors.js';
import { Emitter } from '../base/emitter.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import { Gain } from '../audio/gain.js';
import type { Sound } from '../audio/pcm.js';
import type { Cue } from './cues.js';
import { CueSender } from './cue-sender.js';
import { Feed, type FeedOptions } from './feed.js';
import { AdaptiveLead } from './lead.js';
import { Outlet } from './outlet.js';
import type { Interruption, PlayerEvents, PlayerOptions } from './player-options.js';
import { Pacer, type FrameTiming } from './pacer.js';
import { Playout } from './playout.js';
import { Run } from './run.js';
import {
  Speech,
  type SpeechEnd,
  type SpeechOptions,
  type SpeechOwner,
  type SpeechPosition,
} from './speech.js';
import { WaitingList } from './waiting.js';

/** How long a cut fades by default, in ms: a click is a fault. */
const FADE_MS = 15;
/** A speech that joins has until the agent holds only this much, in ms, before the segment is closed without it. */
const JOIN_UNTIL_HELD_MS = 20;
/** Live sound kept back beyond the lead and what may come at once, before its oldest is dropped, in ms. */
const LIVE_SLACK_MS = 300;
/** Live sound on its way beyond the lead on average, in ms: half a capture period and half a frame. */
const LIVE_FILL_MS = 40;

/**
 * Speaks the speeches of one agent, one after the other. A speech waits, prepares (its sound opens, the agent gets
 * ready), feeds (its frames leave, by the pacer), drains (the agent plays the rest) and ends in one place, `#settle`.
 */
export class Player implements SpeechOwner {
  readonly #options: PlayerOptions;
  readonly #events: Emitter<PlayerEvents>;
  readonly #outlet: Outlet;
  readonly #pacer: Pacer;
  readonly #playout: Playout;
  readonly #cues: CueSender;
  readonly #waiting: WaitingList;
  readonly #volume = new Gain();
  #gainDb = 0;
  readonly #runs = new Map<Speech, Run>();
  #preparing: Run | undefined;
  #paused = false;
  #closed = false;

  constructor(options: PlayerOptions) {
    const { sink, wheel, clock, logger } = options;
    this.#options = options;
    this.#waiting = new WaitingList(options.maxQueued);
    this.#events = new Emitter((error) =>
      logger.error({ error: String(error) }, 'a speech event’s listener threw'),
    );
    this.#outlet = new Outlet(sink, wheel, clock);
    this.#cues = new CueSender(this.#outlet, wheel, sink, () => this.#playout.active);
    this.#pacer = new Pacer({
      outlet: this.#outlet,
      wheel,
      clock,
      frameMs: options.frameMs,
      bufferMs: options.bufferMs,
      volume: this.#volume,
      leadMs: (run) => run.speech.options.leadMs ?? this.leadMs,
      onBegun: (run) => run.speech.enter('speaking'),
      onFrame: (run, samples, timing) => this.#onFrame(run, samples, timing),
      onGap: (run, lengthMs, cause) => this.#onGap(run, lengthMs, cause),
      onPause: (run, afterMs) =>
        run.speech.tell(
          'warning',
          `${run.speech.label} has paused: nothing came for ${Math.round(afterMs)} ms.`,
        ),
      onExhausted: (run, nowMs) => this.#onExhausted(run, nowMs),
    });
    this.#playout = new Playout({
      outlet: this.#outlet,
      wheel,
      clock,
      stallTimeoutMs: options.stallTimeoutMs,
      feeding: () => this.#pacer.run,
      onPosition: (run) => run.speech.tell('position', this.position(run.speech)),
      onHeard: (run) => this.#settle(run, run.outcome!.how, run.outcome!.error, run.heardMs(Infinity)),
      onGivenUp: () => this.#giveUp(),
      onWatched: () => this.#advance(),
    });
  }

  /** Subscribes; the returned function ends it. */
  on<Name extends keyof PlayerEvents>(
    event: Name,
    listener: (payload: PlayerEvents[Name]) => void,
  ): () => void {
    return this.#events.on(event, listener);
  }

  /** True while something sounds, prepares or waits. */
  get busy(): boolean {
    return this.#runs.size > 0;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The speech that sounds or prepares, if any. */
  get current(): Speech | undefined {
    return (this.#playout.draining[0] ?? this.#pacer.run ?? this.#preparing)?.speech;
  }

  /** Every speech that has not ended: those that sound first, then those that wait, in order. */
  get speeches(): Speech[] {
    const preparing = this.#preparing ? [this.#preparing] : [];
    return [...this.#playout.active, ...preparing, ...this.#waiting.list()].map((run) => run.speech);
  }

  /** What the agent holds unplayed by now, in ms. */
  get heldMs(): number {
    return this.#outlet.heldMs;
  }

  /** What the agent may hold unplayed now, in ms, unless a speech says otherwise. */
  get leadMs(): number {
    const { lead } = this.#options;
    return lead instanceof AdaptiveLead ? lead.leadMs : lead;
  }

  /** The level of everything, in dB; 0 is unchanged. */
  get gainDb(): number {
    return this.#gainDb;
  }

  /** Makes everything louder or quieter, from now on, without a click. @param gainDb in dB; 0 is unchanged */
  volume(gainDb: number): void {
    this.#gainDb = gainDb;
    this.#volume.setGainDb(gainDb);
  }

  /**
   * Takes on a speech.
   * @throws BridgeError QUEUE_FULL, AGENT_BUSY (`if-idle`), CLOSED, COMMAND_INVALID or COMMAND_DANGEROUS (a cue)
   */
  speak(sound: Sound, options: SpeechOptions = {}): Speech {
    if (this.#closed)
      throw new BridgeError('CLOSED', `The agent is closed; ${sound.label} cannot be spoken.`);
    for (const cue of options.cues ?? []) this.#options.checkCommand(cue.send);
    if (options.sendIfCut !== undefined) this.#options.checkCommand(options.sendIfCut);
    if (options.when === 'if-idle' && this.busy) {
      throw new BridgeError(
        'AGENT_BUSY',
        `The agent is speaking; ${sound.label} was to be spoken only when idle.`,
      );
    }
    if (options.when !== 'interrupt') this.#waiting.checkRoom(sound.label);
    const speech = new Speech(this, this.#options.nextId(), sound.label, options);
    const run: Run = new Run(
      speech,
      new Feed(sound, {
        ...this.#feedBounds(sound, options),
        onChange: () => this.#onFeed(run),
        onWarning: (message) => speech.tell('warning', message),
        onDrop: (message) => {
          this.#options.logger.warn({ speech: speech.id }, message);
          speech.tell('warning', message);
        },
        onFrame: (frame) => speech.tell('frame', frame),
      }),
    );
    for (const cue of options.cues ?? []) run.cues.add(cue);
    if (options.when === 'interrupt') {
      this.#stopAll(FADE_MS);
      run.immediate = true;
    }
    this.#runs.set(speech, run);
    this.#waiting.add(run);
    this.#events.emit('speech', speech);
    // The caller gets the handle before anything happens to it, so no event of it can be missed.
    queueMicrotask(() => this.#advance());
    return speech;
  }

  /**
   * Ends everything now: the sound fades and stops, what waits is dropped. What the agent holds still sounds.
   * @param options.fadeMs length of the fade, in ms
   * @param options.reason the error that the speeches end with, in the place of SPEECH_STOPPED
   * @returns what was heard, once it is silent
   */
  async interrupt(options: { fadeMs?: number; reason?: BridgeError } = {}): Promise<Interruption> {
    const sounding = (this.#pacer.run ?? this.#playout.draining.at(-1))?.speech;
    const dropped = this.#stopAll(options.fadeMs ?? FADE_MS, options.reason);
    const end = await sounding?.finished;
    return { heardMs: end?.heardMs ?? 0, dropped };
  }

  /** Holds the speech where it is; what the agent holds still sounds. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#pacer.hold(FADE_MS);
    if (this.#pacer.run?.begun) this.#pacer.run.speech.enter('paused');
  }

  /** Goes on after `pause()`. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#pacer.run?.speech.state === 'paused') this.#pacer.run.speech.enter('speaking');
    this.#pacer.release(this.#now());
    this.#advance();
  }

  /**
   * The agent is lost. What sounds ends, or by its option goes back to the front of the queue with what was not heard;
   * what waits goes on waiting, and what prepares waits for the agent by itself.
   */
  lost(error: BridgeError): void {
    const heardTo = this.#outlet.heardSamples(this.#now());
    const hit = this.#playout.active;
    this.#playout.clear();
    this.#pacer.feed(undefined);
    const resumed: Run[] = [];
    for (const run of hit) {
      if (run.speech.options.onAgentLost === 'resume' && run.outcome?.how !== 'stopped') {
        const heard = Math.floor(run.fromSchedule(heardTo));
        run.rewind(heard, this.#pacer.lastSent(run, run.sentSamples - heard));
        run.speech.enter('queued');
        resumed.push(run);
      } else {
        this.#settle(run, 'avatar-lost', error, run.heardMs(heardTo));
      }
    }
    for (const run of resumed.reverse()) this.#waiting.putBack(run);
    this.#resetOutlet();
    this.#advance();
  }

  /** The agent's reading changed: it was found to have stopped, or reads again. */
  readingChanged(): void {
    const nowMs = this.#now();
    const readsAgain = this.#outlet.readingChanged(nowMs);
    this.#playout.readingChanged();
    if (!readsAgain) return;
    this.#pacer.pump(nowMs);
    this.#playout.watch(nowMs);
  }

  /** @internal See `Speech.stop()`. */
  stop(speech: Speech, fadeMs: number = FADE_MS): void {
    const run = this.#runs.get(speech);
    if (!run) return;
    if (run === this.#pacer.run) this.#cut(run, fadeMs);
    else if (!this.#playout.draining.includes(run)) this.#settle(run, 'stopped', stoppedError(run));
    this.#advance();
  }

  /** @internal See `Speech.cue()`. */
  addCue(speech: Speech, cue: Cue): void {
    this.#options.checkCommand(cue.send);
    const run = this.#runs.get(speech);
    if (!run) return;
    run.cues.add(cue);
    this.#cues.send(this.#now());
  }

  /** @internal See `Speech.position`. */
  position(speech: Speech): SpeechPosition {
    const run = this.#runs.get(speech);
    if (!run) {
      const { heardMs = 0, durationMs, droppedMs = 0 } = speech.end ?? {};
      const latency = speech.end?.latency;
      return { positionMs: heardMs, durationMs, heldMs: 0, droppedMs, latency };
    }
    return {
      positionMs: run.heardMs(this.#outlet.heardSamples(this.#now())),
      durationMs: run.feed.durationMs,
      heldMs: run.begun ? this.heldMs : 0,
      droppedMs: samplesToMs(run.feed.droppedSamples),
      latency: run.feed.latency?.recent,
    };
  }

  /** Settles when nothing sounds, prepares or waits. */
  async whenIdle(): Promise<void> {
    while (this.busy) await Promise.all(this.speeches.map((speech) => speech.finished));
  }

  /** Ends every speech at once as stopped, and takes no more. */
  close(): void {
    if (this.#closed) return;
    this.#stopAll(FADE_MS);
    this.#closed = true;
    const heardTo = this.#outlet.heardSamples(this.#now());
    for (const run of [...this.#runs.values()])
      this.#settle(run, 'stopped', stoppedError(run), run.heardMs(heardTo));
    this.#pacer.feed(undefined);
    this.#cues.close();
    this.#playout.close();
  }

  #feedBounds(sound: Sound, options: SpeechOptions): Pick<FeedOptions, 'maxBufferedMs' | 'live'> {
    if (!sound.live) return { maxBufferedMs: this.#options.bufferMs };
    // Live sound must not grow old: beyond the lead and what may come at once it may wait only as long as a stall may
    // last.
    const leadMs = options.leadMs ?? this.leadMs;
    const { burstMs = 0 } = sound;
    const { clock } = this.#options;
    return {
      maxBufferedMs: leadMs + burstMs + LIVE_SLACK_MS,
      live: { clock, burstMs, targetFillMs: leadMs + LIVE_FILL_MS, heldMs: () => this.heldMs },
    };
  }

  // ---- from waiting to feeding ------------------------------------------------------------------------------------

  #advance(): void {
    if (this.#closed || this.#preparing || this.#pacer.run || this.#paused) return this.#readAhead();
    const next = this.#waiting.first();
    if (!next) {
      if (this.#runs.size === 0) this.#events.emit('idle', undefined);
      return;
    }
    if (this.#playout.draining.length > 0 && !next.immediate && !next.speech.options.join)
      return next.feed.start();
    this.#waiting.remove(next);
    this.#preparing = next;
    next.speech.enter('preparing');
    next.feed.start();
    const { signal } = next.preparing;
    this.#options.sink
      .prepare(next.speech.options, signal, (message) => next.speech.tell('waiting', message))
      .then(() => next.speech.options.gate?.arrive(signal))
      .then(
        () => this.#begin(next),
        (error: unknown) => {
          if (this.#preparing !== next) return;
          this.#settle(next, 'failed', toBridgeError(error, 'INTERNAL', 'Preparing the agent failed'));
          this.#advance();
        },
      );
  }

  /**
   * Opens the sound of a speech that joins once all of the one before it has been read: a decoder takes time to start,
   * and asked for at the last frame it would be late.
   */
  #readAhead(): void {
    const next = this.#waiting.first();
    if (next?.speech.options.join && this.#pacer.run?.feed.ended) next.feed.start();
  }

  #begin(run: Run): void {
    if (this.#preparing !== run) return;
    this.#preparing = undefined;
    if (this.#playout.draining.length === 0) this.#resetOutlet();
    this.#pacer.feed(run);
    this.#pacer.pump(this.#now());
  }

  #resetOutlet(): void {
    this.#outlet.reset();
    this.#pacer.reset();
    this.#playout.readingChanged();
  }

  #onFeed(run: Run): void {
    const { feed, speech } = run;
    if (feed.info && !speech.info) speech.setInfo(feed.info);
    if (feed.ended && !feed.error) run.cues.setEnd(feed.readSamples);
    if (run === this.#pacer.run) {
      if (feed.ended) this.#readAhead();
      return this.#pacer.fed(this.#now());
    }
    if (feed.exhausted && run.sentSamples === 0 && this.#runs.has(speech)) {
      // Nothing will ever come: its caller need not wait for an agent to hear so.
      this.#settle(run, 'failed', feed.error ?? emptyError(run));
      return this.#advance();
    }
    // It may be the one that the speech before it waits for, to join it.
    if (run === this.#waiting.first() && this.#pacer.run?.feed.exhausted) this.#pacer.pump(this.#now());
  }

  // ---- while feeding ----------------------------------------------------------------------------------------------

  #onFrame(run: Run, samples: number, timing: FrameTiming | undefined): void {
    const { lead } = this.#options;
    if (timing && lead instanceof AdaptiveLead)
      lead.frameLeft(timing.heldMs, timing.latenessMs, timing.leftAtMs);
    if (this.#events.listenerCount('frame') > 0) this.#events.emit('frame', { samples, timing });
    if (run.cues.size > 0) this.#cues.arm();
    this.#playout.follow();
  }

  #onGap(run: Run, lengthMs: number, cause: 'source' | 'stall'): void {
    run.gap(lengthMs, cause);
    if (cause === 'stall' && this.#options.lead instanceof AdaptiveLead)
      this.#options.lead.ranDry(this.#now());
    this.#events.emit('gap', { speech: run.speech, lengthMs, cause });
    const reason =
      cause === 'source' ? 'the sound came late' : 'the process was stalled for longer than the lead';
    run.speech.tell('warning', `A silence of ${Math.round(lengthMs)} ms: ${reason}.`);
  }

  /** All of `run` has left: a speech that joins takes its place in the same segment, else the segment ends. */
  #onExhausted(run: Run, nowMs: number): boolean {
    const next = this.#waiting.first();
    if (next?.speech.options.join && run.begun && !run.feed.error && sameNeeds(run, next)) {
      next.feed.start();
      if (next.feed.bufferedSamples > 0) {
        this.#waiting.remove(next);
        next.speech.enter('preparing');
        this.#drain(run, 'completed', undefined);
        this.#pacer.feed(next);
        return true;
      }
      const held = this.#outlet.schedule.at(nowMs).heldSamples;
      if (!next.feed.ended && held > msToSamples(JOIN_UNTIL_HELD_MS)) return false;
    }
    const { error } = run.feed;
    if (run.begun) {
      this.#pacer.endSegment(run);
      this.#drain(run, error ? 'failed' : 'completed', error);
    } else {
      this.#settle(run, 'failed', error ?? emptyError(run));
    }
    this.#advance();
    return false;
  }

  #cut(run: Run, fadeMs: number, reason: BridgeError = stoppedError(run)): void {
    if (!run.begun) return this.#settle(run, 'stopped', reason);
    this.#pacer.cut(run, fadeMs);
    void run.feed.cancel();
    this.#cues.drop(run);
    this.#drain(run, 'stopped', reason);
  }

  #stopAll(fadeMs: number, reason?: BridgeError): number {
    const waiting = this.#waiting.list();
    for (const run of waiting) this.#settle(run, 'stopped', reason ?? stoppedError(run));
    const preparing = this.#preparing;
    if (preparing) this.#settle(preparing, 'stopped', reason ?? stoppedError(preparing));
    if (this.#pacer.run) this.#cut(this.#pacer.run, fadeMs, reason);
    return waiting.length;
  }

  // ---- while draining ---------------------------------------------------------------------------------------------

  #drain(run: Run, how: SpeechEnd['how'], error: BridgeError | undefined): void {
    if (this.#pacer.run === run) this.#pacer.feed(undefined);
    run.outcome = { how, error };
    run.speech.enter('draining');
    this.#playout.drain(run);
  }

  /** The agent has hung, and may never let go of its connection: what it was to play ends here. */
  #giveUp(): void {
    const heardTo = this.#outlet.heardSamples(this.#now());
    const seconds = Math.round(this.#options.stallTimeoutMs / 1000);
    const feeding = this.#pacer.run;
    // Closed, so that the next is whole should the agent wake up.
    if (feeding?.begun) this.#pacer.cut(feeding, 0);
    for (const run of this.#playout.active) {
      const { label } = run.speech;
      const message = `The agent has read nothing for ${seconds} s; the speech of ${label} was given up.`;
      this.#settle(run, 'failed', new BridgeError('AGENT_STALLED', message), run.heardMs(heardTo));
    }
    this.#advance();
  }

  // ---- the one end of every speech --------------------------------------------------------------------------------

  #settle(run: Run, how: SpeechEnd['how'], error: BridgeError | undefined, heardMs = 0): void {
    if (!this.#runs.delete(run.speech)) return;
    this.#waiting.remove(run);
    if (this.#preparing === run) this.#preparing = undefined;
    if (this.#pacer.run === run) this.#pacer.feed(undefined);
    this.#playout.drop(run);
    const durationMs = run.feed.durationMs;
    if (how === 'completed') this.#cues.finish(run);
    else this.#cues.drop(run);
    const { sendIfCut } = run.speech.options;
    if (sendIfCut !== undefined && run.begun && how !== 'completed') this.#options.sink.command(sendIfCut);
    if (!run.begun) run.speech.options.gate?.leave();
    run.preparing.abort(error);
    void run.feed.cancel();
    if (heardMs > 0) run.speech.markStarted();
    run.speech.settle({
      how,
      heardMs,
      durationMs,
      gaps: run.gaps,
      droppedMs: samplesToMs(run.feed.droppedSamples),
      latency: run.feed.latency?.total,
      cuesSent: run.cuesSent,
      cuesDropped: run.cuesDropped,
      error,
    });
  }

  #now(): number {
    return this.#options.clock.nowMs();
  }
}

function sameNeeds(a: Run, b: Run): boolean {
  const [one, other] = [a.speech.options, b.speech.options];
  return one.model === other.model && one.mode === other.mode && one.lips === other.lips;
}

function stoppedError(run: Run): BridgeError {
  return new BridgeError('SPEECH_STOPPED', `The speech of ${run.speech.label} was stopped.`);
}

function emptyError(run: Run): BridgeError {
  return new BridgeError('SOUND_EMPTY', `${run.speech.label} holds no sound.`);
}

import { BridgeError } from '../base/errors.js';
import { Emitter } from '../base/emitter.js';
import { samplesToMs } from '../base/units.js';
import { Gain } from '../audio/gain.js';
import type { Sound } from '../audio/pcm.js';
import type { Cue } from './cues.js';
import { Delivery, type FrameObserver } from './delivery.js';
import { emptyError, speechEnd, stoppedError, type Ending } from './ending.js';
import { Feed, type FeedOptions } from './feed.js';
import { leadNowMs } from './lead.js';
import type { Interruption, PlayerEvents, PlayerOptions } from './player-options.js';
import { ActiveSpeech } from './active-speech.js';
import { Speech, type SpeechOptions, type SpeechOwner, type SpeechPosition } from './speech.js';
import { Turns } from './turns.js';

/** How long a cut fades by default, in ms: a click is a fault. */
const FADE_MS = 15;
/** Live sound kept back beyond the lead and what may come at once, before its oldest is dropped, in ms. */
const LIVE_SLACK_MS = 300;
/** Live sound on its way beyond the lead on average, in ms: half a capture period and half a frame. */
const LIVE_FILL_MS = 40;

/**
 * Speaks the speeches of one agent, one after the other. A speech waits and prepares (`Turns`), its frames leave and are
 * heard (`Delivery`), and it ends in one place, `#settle`.
 */
export class Player implements SpeechOwner {
  readonly #options: PlayerOptions;
  readonly #events: Emitter<PlayerEvents>;
  readonly #turns: Turns;
  readonly #delivery: Delivery;
  readonly #volume = new Gain();
  #gainDb = 0;
  readonly #runs = new Map<Speech, ActiveSpeech>();
  #paused = false;
  #closed = false;

  constructor(options: PlayerOptions) {
    const { sink, maxQueued, logger } = options;
    this.#options = options;
    this.#events = new Emitter((error) =>
      logger.error({ error: String(error) }, 'a speech event’s listener threw'),
    );
    this.#turns = new Turns({
      sink,
      maxQueued,
      onReady: (run) => this.#delivery.begin(run),
      onFailed: (run, error) => {
        this.#settle(run, { how: 'failed', error, heardMs: 0 });
        this.#advance();
      },
    });
    this.#delivery = new Delivery({
      ...options,
      volume: this.#volume,
      events: this.#events,
      joiner: (run) => this.#turns.joiner(run),
      onJoined: (run) => this.#turns.join(run),
      onEnd: (run, ending) => this.#settle(run, ending),
      onFree: () => this.#advance(),
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
    return (this.#delivery.active[0] ?? this.#turns.preparing)?.speech;
  }

  /** Every speech that has not ended: those that sound first, then those that wait, in order. */
  get speeches(): Speech[] {
    const { preparing, waiting } = this.#turns;
    return [...this.#delivery.active, ...(preparing ? [preparing] : []), ...waiting].map((run) => run.speech);
  }

  /** What the agent holds unplayed by now, in ms. */
  get heldMs(): number {
    return this.#delivery.heldMs;
  }

  /** What the agent may hold unplayed now, in ms, unless a speech says otherwise. */
  get leadMs(): number {
    return leadNowMs(this.#options.lead);
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
    if (options.when !== 'interrupt') this.#turns.checkRoom(sound.label);
    const speech = new Speech(this, this.#options.nextId(), sound.label, options);
    const run: ActiveSpeech = new ActiveSpeech(
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
    this.#turns.add(run);
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
    const sounding = this.#delivery.active.at(-1)?.speech;
    const dropped = this.#stopAll(options.fadeMs ?? FADE_MS, options.reason);
    const end = await sounding?.finished;
    return { heardMs: end?.heardMs ?? 0, dropped };
  }

  /** Holds the speech where it is; what the agent holds still sounds. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#delivery.hold(FADE_MS);
  }

  /** Goes on after `pause()`. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#delivery.release();
    this.#advance();
  }

  /**
   * The agent is lost. What sounds ends, or by its option goes back to the front of the queue with what was not heard;
   * what waits goes on waiting, and what prepares waits for the agent by itself.
   */
  lost(error: BridgeError): void {
    this.#turns.putBack(this.#delivery.lost(error));
    this.#advance();
  }

  /** The agent's reading changed: it was found to have stopped, or reads again. */
  readingChanged(): void {
    this.#delivery.readingChanged();
  }

  /** @internal See `Speech.stop()`. */
  stop(speech: Speech, fadeMs: number = FADE_MS): void {
    const run = this.#runs.get(speech);
    if (!run) return;
    if (run === this.#delivery.feeding) this.#delivery.cut(run, fadeMs, stoppedError(run));
    else if (!this.#delivery.active.includes(run)) this.#settleStopped(run);
    this.#advance();
  }

  /** @internal See `Speech.cue()`. */
  addCue(speech: Speech, cue: Cue): void {
    this.#options.checkCommand(cue.send);
    const run = this.#runs.get(speech);
    if (run) this.#delivery.addCue(run, cue);
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
      positionMs: this.#delivery.heardMs(run),
      durationMs: run.feed.durationMs,
      heldMs: run.begun ? this.heldMs : 0,
      droppedMs: samplesToMs(run.feed.droppedSamples),
      latency: run.feed.latency?.recent,
    };
  }

  /** @internal See `Speech.on()`. */
  followed(): void {
    this.#delivery.follow();
  }

  /** Settles when nothing sounds, prepares or waits. */
  async whenIdle(): Promise<void> {
    while (this.busy) await Promise.all(this.speeches.map((speech) => speech.finished));
  }

  /** Has one observer look at each frame that leaves, or none. */
  observeFrames(observer: FrameObserver | undefined): void {
    this.#delivery.observeFrames(observer);
  }

  /** Ends every speech at once as stopped, and takes no more. */
  close(): void {
    if (this.#closed) return;
    this.#stopAll(FADE_MS);
    this.#closed = true;
    for (const run of [...this.#runs.values()])
      this.#settleStopped(run, stoppedError(run), this.#delivery.heardMs(run));
    this.#delivery.close();
  }

  #feedBounds(sound: Sound, options: SpeechOptions): Pick<FeedOptions, 'maxBufferedMs' | 'live'> {
    if (!sound.live) return { maxBufferedMs: () => this.#options.bufferMs };
    // Live sound must not grow old: beyond the lead and what may come at once it may wait only as long as a stall may
    // last.
    const leadMs = (): number => options.leadMs ?? this.leadMs;
    const { burstMs = 0 } = sound;
    const { clock } = this.#options;
    return {
      maxBufferedMs: () => leadMs() + burstMs + LIVE_SLACK_MS,
      live: {
        clock,
        burstMs,
        get targetFillMs() {
          return leadMs() + LIVE_FILL_MS;
        },
        heldMs: () => this.heldMs,
      },
    };
  }

  /** Looks whether the next may have its turn. */
  #advance(): void {
    const { feeding, draining } = this.#delivery;
    if (this.#closed || this.#turns.preparing || feeding || this.#paused)
      return this.#turns.readAhead(feeding);
    if (this.busy) this.#turns.advance(draining);
    else this.#events.emit('idle', undefined);
  }

  #onFeed(run: ActiveSpeech): void {
    const { feed, speech } = run;
    const { feeding } = this.#delivery;
    if (feed.info && !speech.info) speech.setInfo(feed.info);
    if (feed.ended && !feed.error) run.cues.setEnd(feed.readSamples);
    if (run === feeding) {
      if (feed.ended) this.#turns.readAhead(run);
      return this.#delivery.fed();
    }
    if (feed.exhausted && run.sentSamples === 0 && this.#runs.has(speech)) {
      // Nothing will ever come: its caller need not wait for an agent to hear so.
      this.#settle(run, { how: 'failed', error: feed.error ?? emptyError(run), heardMs: 0 });
      return this.#advance();
    }
    // It may be the one that the speech before it waits for, to join it.
    if (feeding && run === this.#turns.joiner(feeding)) this.#delivery.fed();
  }

  /** @returns how many had been waiting */
  #stopAll(fadeMs: number, reason?: BridgeError): number {
    const { waiting, preparing } = this.#turns;
    for (const run of waiting) this.#settleStopped(run, reason);
    if (preparing) this.#settleStopped(preparing, reason);
    const { feeding } = this.#delivery;
    if (feeding) this.#delivery.cut(feeding, fadeMs, reason ?? stoppedError(feeding));
    return waiting.length;
  }

  /** Ends a run as stopped, where it is. */
  #settleStopped(run: ActiveSpeech, error: BridgeError = stoppedError(run), heardMs = 0): void {
    this.#settle(run, { how: 'stopped', error, heardMs });
  }

  /** The one end of every speech. */
  #settle(run: ActiveSpeech, ending: Ending): void {
    if (!this.#runs.delete(run.speech)) return;
    const { how, error, heardMs } = ending;
    this.#turns.remove(run);
    this.#delivery.remove(run, how);
    const { sendIfCut, gate } = run.speech.options;
    if (sendIfCut !== undefined && run.begun && how !== 'completed') this.#options.sink.command(sendIfCut);
    if (!run.begun) gate?.leave();
    const end = speechEnd(run, ending);
    run.preparing.abort(error);
    void run.feed.cancel();
    if (heardMs > 0) run.speech.markStarted();
    run.speech.settle(end);
  }
}

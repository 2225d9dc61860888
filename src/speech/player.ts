import { BridgeError } from '../base/errors.js';
import { Emitter } from '../base/emitter.js';
import { samplesToMs } from '../base/units.js';
import { Gain } from '../audio/gain.js';
import type { Sound } from '../audio/pcm.js';
import { ActiveSpeech, type Ending } from './active-speech.js';
import type { Cue, Notice } from './cues.js';
import { Feed } from './feed.js';
import { leadNowMs, speechLead } from './lead.js';
import { LiveFeed } from './live-feed.js';
import { PlaybackClock } from './playback-clock.js';
import type { Interruption, PlayerContext, PlayerEvents, PlayerOptions } from './player-context.js';
import { isPerformed, PerformedFeed, Performing } from './performing.js';
import { Playing } from './playing.js';
import { SpeechQueue } from './queue.js';
import {
  Speech,
  type GapCause,
  type SpeechOptions,
  type SpeechOwner,
  type SpeechPosition,
} from './speech.js';

/** Default fade of a cut, in ms: without a fade it clicks. */
const FADE_MS = 15;

/** Approximate memory of a speech besides its label and its text, in bytes. */
const SPEECH_BYTES = 4096;

const GAP_REASONS: Record<GapCause, string> = {
  source: 'the sound came late',
  stall: 'the process was stalled for longer than the lead',
  agent: 'the avatar stood still',
};

/**
 * Plays the speeches of one agent in turn. A speech waits and prepares (`SpeechQueue`), its frames are sent
 * and heard (`Playing`), and it ends in `#settle`.
 */
export class Player implements SpeechOwner {
  readonly #context: PlayerContext;
  readonly #queue: SpeechQueue;
  readonly #playing: Playing;
  readonly #performing: Performing;
  readonly #runs = new Map<Speech, ActiveSpeech>();
  #gainDb = 0;
  #paused = false;
  #closed = false;

  constructor(options: PlayerOptions) {
    const { sink, wheel, clock, logger } = options;
    this.#context = {
      ...options,
      volume: new Gain(),
      playback: new PlaybackClock(sink, wheel, clock),
      events: new Emitter((error) =>
        logger.error({ error: String(error) }, 'a speech event’s listener threw'),
      ),
      listener: {
        ready: (run) => this.#begin(run),
        ended: (run, ending) => this.#settle(run, ending),
        gap: (run, lengthMs, cause) => this.#gap(run, lengthMs, cause),
        advance: () => this.#advance(),
      },
    };
    this.#queue = new SpeechQueue(this.#context);
    this.#playing = new Playing(this.#context, this.#queue);
    this.#performing = new Performing(this.#context);
  }

  /** Subscribes to an event; the returned function unsubscribes. */
  on<Name extends keyof PlayerEvents>(
    event: Name,
    listener: (payload: PlayerEvents[Name]) => void,
  ): () => void {
    return this.#context.events.on(event, listener);
  }

  /** True while a speech sounds, prepares or waits. */
  get busy(): boolean {
    return this.#runs.size > 0;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The speech that sounds or prepares, if any. */
  get current(): Speech | undefined {
    return (this.#sounding[0] ?? this.#queue.preparing)?.speech;
  }

  /** All speeches that have not ended: the sounding ones first, then the waiting ones, in order. */
  get speeches(): Speech[] {
    const { preparing, waiting } = this.#queue;
    return [...this.#sounding, ...(preparing ? [preparing] : []), ...waiting].map((run) => run.speech);
  }

  /** Sound the agent holds unplayed now, in ms. */
  get heldMs(): number {
    return this.#context.playback.heldMs;
  }

  /** Maximum sound the agent may hold unplayed now, in ms, unless a speech has its own lead. */
  get leadMs(): number {
    return leadNowMs(this.#context.lead);
  }

  /** Volume of the agent, in dB; 0 is unchanged. */
  get gainDb(): number {
    return this.#gainDb;
  }

  /** Sets the volume of the agent from now on, without a click. @param gainDb in dB; 0 is unchanged */
  setGainDb(gainDb: number): void {
    this.#gainDb = gainDb;
    this.#context.volume.setGainDb(gainDb);
  }

  /**
   * Accepts a speech.
   * @throws BridgeError QUEUE_FULL, AGENT_BUSY (`if-idle`), CLOSED, COMMAND_INVALID or COMMAND_DANGEROUS (a
   * cue)
   */
  speak(sound: Sound, options: SpeechOptions = {}): Speech {
    if (this.#closed)
      throw new BridgeError('CLOSED', `The agent is closed; ${sound.label} cannot be spoken.`);
    for (const cue of options.cues ?? []) this.#context.checkCommand(cue.send);
    if (options.sendIfCut !== undefined) this.#context.checkCommand(options.sendIfCut);
    if (options.when === 'if-idle' && this.busy) {
      throw new BridgeError(
        'AGENT_BUSY',
        `The agent is speaking; ${sound.label} was to be spoken only when idle.`,
      );
    }
    if (options.when !== 'interrupt') this.#queue.checkRoom(sound.label);
    const speech = new Speech(this, this.#context.nextId(), sound, options);
    const { budget } = this.#context;
    const run = new ActiveSpeech(speech, this.#openFeed(sound, speech), budget);
    this.#takeMemory(run, heldBytes(sound));
    if (options.when === 'interrupt') {
      this.#stopAll(FADE_MS);
      run.immediate = true;
    }
    this.#runs.set(speech, run);
    this.#queue.add(run);
    this.#context.events.emit('speech', speech);
    // The caller gets the handle first, so that it cannot miss an event.
    queueMicrotask(() => {
      this.#queue.tellReason();
      this.#advance();
    });
    return speech;
  }

  /**
   * Ends everything now: the sound fades out and waiting speeches are dropped. Sound the agent already holds
   * is still heard.
   * @param options.fadeMs length of the fade, in ms
   * @param options.reason error of the ended speeches, in place of SPEECH_STOPPED
   * @returns the part that was heard, once the agent is silent
   */
  async interrupt(
    options: { fadeMs?: number | undefined; reason?: BridgeError | undefined } = {},
  ): Promise<Interruption> {
    const sounding = this.#sounding.at(-1)?.speech;
    const dropped = this.#stopAll(options.fadeMs ?? FADE_MS, options.reason);
    const end = await sounding?.finished;
    return { heardMs: end?.heardMs ?? 0, dropped };
  }

  /** Pauses the speech; sound the agent already holds is still heard. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#playing.hold(FADE_MS);
    this.#queue.hold(`Agent ${this.#context.agentName} is paused: resume it.`);
    this.#performing.hold();
  }

  /** Continues after `pause()`. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#queue.hold(undefined);
    this.#playing.release();
    this.#performing.release();
    this.#advance();
  }

  /**
   * Handles the loss of the agent. The sounding speech ends, or with `resume` returns to the front of the
   * queue with the part that was not heard. Waiting speeches keep waiting, and a preparing one waits for the
   * agent.
   */
  lost(error: BridgeError): void {
    this.#queue.putBack(this.#playing.lost(error));
    const performed = this.#performing.abandon(error);
    if (performed) {
      this.#settle(performed, { how: 'avatar-lost', error, heardMs: performed.feed.durationMs ?? 0 });
    }
    this.#advance();
  }

  /** Handles a change of the agent's reading: it was found to have stopped, or reads again. */
  readingChanged(): void {
    this.#playing.readingChanged();
  }

  /** @internal See `Speech.stop()`. */
  stop(speech: Speech, fadeMs: number = FADE_MS): void {
    const run = this.#runs.get(speech);
    if (!run) return;
    if (run === this.#performing.run) this.#performing.stop(run.stoppedError());
    else if (run === this.#playing.feeding) this.#playing.cut(run, fadeMs, run.stoppedError());
    else if (!this.#playing.active.includes(run)) this.#settleStopped(run);
    this.#advance();
  }

  /** @internal See `Speech.cue()`. */
  addCue(speech: Speech, cue: Cue | Notice): void {
    if ('send' in cue) this.#context.checkCommand(cue.send);
    const run = this.#runs.get(speech);
    if (!run) return;
    this.#playing.addCue(run, cue);
    this.#performing.follow();
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
      positionMs: this.#heardMs(run),
      durationMs: run.feed.durationMs,
      heldMs: run.begun ? this.heldMs : 0,
      droppedMs: samplesToMs(run.feed.droppedSamples),
      latency: run.feed.recentLatency,
    };
  }

  /** @internal See `Speech.on()`. */
  followed(): void {
    this.#playing.follow();
    this.#performing.follow();
  }

  /** Settles when nothing sounds, prepares or waits. */
  async whenIdle(): Promise<void> {
    while (this.busy) await Promise.all(this.speeches.map((speech) => speech.finished));
  }

  /** Ends every speech at once as stopped, and accepts no more. */
  close(): void {
    if (this.#closed) return;
    this.#stopAll(FADE_MS);
    this.#closed = true;
    for (const run of [...this.#runs.values()])
      this.#settleStopped(run, run.stoppedError(), this.#heardMs(run));
    this.#playing.close();
    this.#performing.abandon(new BridgeError('CLOSED', 'The agent is closed.'));
  }

  #begin(run: ActiveSpeech): void {
    if (run.feed instanceof PerformedFeed) this.#performing.begin(run, run.feed);
    else this.#playing.begin(run);
  }

  /** Runs that the agent plays or performs now, in order. */
  get #sounding(): ActiveSpeech[] {
    const { run } = this.#performing;
    return run ? [...this.#playing.active, run] : this.#playing.active;
  }

  #heardMs(run: ActiveSpeech): number {
    return run === this.#performing.run ? this.#performing.heardMs(run) : this.#playing.heardMs(run);
  }

  /** @throws BridgeError QUEUE_FULL or CUE_LIMIT; then nothing is taken */
  #takeMemory(run: ActiveSpeech, bytes: number): void {
    const { budget } = this.#context;
    const { label, options } = run.speech;
    if (!budget.tryTake(bytes)) {
      const mb = Math.round(budget.maxBytes / 1_048_576);
      throw new BridgeError(
        'QUEUE_FULL',
        `The texts and cues that wait take ${mb} MB already; ${label} was not taken on.`,
      );
    }
    run.heldBytes = bytes;
    try {
      for (const cue of options.cues ?? []) run.cues.add(cue);
    } catch (error) {
      run.cues.takeAll();
      budget.give(bytes);
      throw error;
    }
  }

  #openFeed(sound: Sound, speech: Speech): Feed {
    const { clock, bufferMs, logger } = this.#context;
    const options = {
      clock,
      bufferMs,
      changed: () => this.#fed(this.#runs.get(speech)),
      warn: (message: string) => speech.tell('warning', message),
    };
    if (isPerformed(sound)) return new PerformedFeed(sound, options);
    if (!sound.live) return new Feed(sound, options);
    return new LiveFeed(sound, {
      ...options,
      logger: logger.child({ speech: speech.id }),
      leadMs: () => leadNowMs(speechLead(speech.options, this.#context)),
      heldMs: () => this.heldMs,
    });
  }

  /** Lets the next speech begin if it can. */
  #advance(): void {
    const { feeding, draining } = this.#playing;
    if (this.#closed || this.#queue.preparing || feeding || this.#performing.run || this.#paused)
      return this.#queue.readAhead(feeding);
    if (this.busy) this.#queue.advance(draining);
    else this.#context.events.emit('idle', undefined);
  }

  /** Handles a change of a run's sound: samples came, or it ended. */
  #fed(run: ActiveSpeech | undefined): void {
    if (!run) return;
    const { feed, speech } = run;
    const { feeding } = this.#playing;
    if (feed.info && !speech.info) speech.setInfo(feed.info);
    if (feed.ended && !feed.error) run.cues.setEnd(feed.readSamples);
    if (run === feeding) {
      if (feed.ended) this.#queue.readAhead(run);
      return this.#playing.fed();
    }
    if (feed.exhausted && run.sentSamples === 0) {
      // The sound has failed or is empty, so the caller need not wait for an agent to learn it.
      this.#settle(run, { how: 'failed', error: feed.error ?? run.emptyError(), heardMs: 0 });
      return this.#advance();
    }
    // The speech that feeds may wait for this one to join.
    if (feeding && run === this.#queue.joiner(feeding)) this.#playing.fed();
  }

  #gap(run: ActiveSpeech, lengthMs: number, cause: GapCause): void {
    const { speech } = run;
    run.gap(lengthMs, cause);
    this.#context.events.emit('gap', { speech, lengthMs, cause });
    speech.tell('warning', `A silence of ${Math.round(lengthMs)} ms: ${GAP_REASONS[cause]}.`);
  }

  /** @returns the number of waiting speeches */
  #stopAll(fadeMs: number, reason?: BridgeError): number {
    const { waiting, preparing } = this.#queue;
    for (const run of waiting) this.#settleStopped(run, reason);
    if (preparing) this.#settleStopped(preparing, reason);
    const { feeding } = this.#playing;
    if (feeding) this.#playing.cut(feeding, fadeMs, reason ?? feeding.stoppedError());
    const { run } = this.#performing;
    if (run) this.#performing.stop(reason ?? run.stoppedError());
    return waiting.length;
  }

  /** Ends a run as stopped, in any state. */
  #settleStopped(run: ActiveSpeech, error: BridgeError = run.stoppedError(), heardMs = 0): void {
    this.#settle(run, { how: 'stopped', error, heardMs });
  }

  /** Ends a speech. Every speech ends here. */
  #settle(run: ActiveSpeech, ending: Ending): void {
    if (!this.#runs.delete(run.speech)) return;
    const { how, error, heardMs } = ending;
    this.#queue.remove(run);
    this.#playing.remove(run, how);
    this.#context.budget.give(run.heldBytes);
    const { sendIfCut, gate } = run.speech.options;
    if (sendIfCut !== undefined && run.begun && how !== 'completed') this.#context.sink.command(sendIfCut);
    if (!run.begun) gate?.leave();
    const { playback, sink } = this.#context;
    const read = heardMs === 0 || (sink.hearing === 'confirmed' && playback.hasRead(run.endSample));
    const end = run.endOf(ending, read ? 'confirmed' : 'assumed');
    run.preparing.abort(error);
    void run.feed.cancel();
    if (heardMs > 0) run.speech.markStarted();
    run.speech.settle(end);
  }
}

/** Returns the memory of a speech from its start to its end, without its cues, in bytes. */
function heldBytes({ label, heldBytes = 0 }: Sound): number {
  return SPEECH_BYTES + label.length * 2 + heldBytes;
}

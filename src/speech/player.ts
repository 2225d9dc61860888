import type { Clock } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import { Emitter } from '../base/emitter.js';
import type { Logger } from '../base/logger.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import type { Sound } from '../audio/pcm.js';
import type { Cue } from './cues.js';
import { fadeIn, fadeOut } from './fade.js';
import { Feed } from './feed.js';
import { Run } from './run.js';
import { Schedule } from './schedule.js';
import type { FrameSink } from './sink.js';
import {
  Speech,
  type SpeechEnd,
  type SpeechOptions,
  type SpeechOwner,
  type SpeechPosition,
} from './speech.js';
import { SentTail } from './tail.js';
import { WaitingList } from './waiting.js';
import type { Wheel, WheelTask } from './wheel.js';

/** The agent plays whole blocks of 256 samples (protocol.md §4). */
const BLOCK_SAMPLES = 256;
/** A frame's sound is heard 37 to 58 ms after it was sent with nothing queued before it (protocol.md §4): the middle. */
export const START_LATENCY_MS = 48;
/** Sound ends 50 to 90 ms after the agent's buffer ran out by our clock (protocol.md §4): the far end. */
export const TAIL_MS = 90;
const FADE_MS = 15;
const POSITION_EVERY_MS = 100;
/** When a sound pauses by itself this long, the segment is closed so that the mouth closes too. */
const CLOSE_AFTER_DRY_MS = 300;
/** A queued speech that joins has until the agent holds only this much before the segment is closed without it. */
const JOIN_UNTIL_HELD_MS = 20;

/** What a player stands on. */
export interface PlayerOptions {
  readonly sink: FrameSink;
  readonly wheel: Wheel;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Samples of a frame as a span of time, in ms; 10 to 40. */
  readonly frameMs: number;
  /** What the agent may hold unplayed, in ms, read anew at every frame. */
  leadMs(): number;
  /** Speeches that may wait; one more is refused. */
  readonly maxQueued: number;
  /** Converted sound read ahead of a speech, in ms. */
  readonly bufferMs: number;
  /** Throws when a command line may not be sent. */
  checkCommand(line: string): void;
  nextId(): string;
}

/** The events of a player. */
export interface PlayerEvents {
  /** A speech was taken on. */
  speech: Speech;
  /** A silence that was not in the sound. */
  gap: { speech: Speech; lengthMs: number; cause: 'source' | 'stall' };
  /** A frame left: how late it was by the wheel, and what the agent then held. */
  frame: { samples: number; latenessMs: number | undefined; heldMs: number };
  /** Nothing sounds and nothing waits. */
  idle: undefined;
}

/** What `interrupt()` ended. */
export interface Interruption {
  /** How much of the speech that sounded was heard, in ms; 0 when none did. */
  readonly heardMs: number;
  /** Speeches that had been waiting and were dropped. */
  readonly dropped: number;
}

/**
 * Speaks the speeches of one agent, one after the other: paces their frames by the schedule, sends cues at their
 * moment, ends segments so that the next is whole, and settles each speech once, in one place (`#settle`).
 */
export class Player implements SpeechOwner {
  readonly #options: PlayerOptions;
  readonly #frameSamples: number;
  readonly #events: Emitter<PlayerEvents>;
  readonly #waiting: WaitingList;
  readonly #runs = new Map<Speech, Run>();
  readonly #tail = new SentTail();
  #schedule = new Schedule();
  #preparing: Run | undefined;
  #feeding: Run | undefined;
  #draining: Run[] = [];
  #segmentSamples = 0;
  #paused = false;
  #closed = false;
  #starved = false;
  #stalledSince: number | undefined;
  #sinkBase = 0;
  #pumpTask: WheelTask | undefined;
  #cueTask: WheelTask | undefined;
  #watchTask: WheelTask | undefined;

  constructor(options: PlayerOptions) {
    this.#options = options;
    this.#frameSamples = msToSamples(options.frameMs);
    this.#waiting = new WaitingList(options.maxQueued);
    this.#events = new Emitter((error) =>
      options.logger.error({ error: String(error) }, 'a listener of a speech event threw'),
    );
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
    return (this.#draining[0] ?? this.#feeding ?? this.#preparing)?.speech;
  }

  /** Every speech that has not ended: those that sound first, then those that wait, in order. */
  get speeches(): Speech[] {
    const active = [...this.#draining, this.#feeding, this.#preparing].filter((run) => run !== undefined);
    return [...active, ...this.#waiting.list()].map((run) => run.speech);
  }

  /** What the agent holds unplayed by now, in ms. */
  get heldMs(): number {
    return samplesToMs(this.#schedule.at(this.#now()).heldSamples);
  }

  /**
   * Takes on a speech.
   * @throws BridgeError QUEUE_FULL, AGENT_BUSY (`if-idle`), CLOSED, COMMAND_INVALID or COMMAND_DANGEROUS (a cue)
   */
  speak(sound: Sound, options: SpeechOptions = {}): Speech {
    if (this.#closed)
      throw new BridgeError('CLOSED', `The agent is closed; ${sound.label} cannot be spoken.`);
    for (const cue of options.cues ?? []) this.#options.checkCommand(cue.send);
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
        maxBufferedMs: this.#options.bufferMs,
        onChange: () => this.#onFeed(run),
        onWarning: (message) => speech.tell('warning', message),
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
   * @returns what was heard, once it is silent
   */
  async interrupt(options: { fadeMs?: number } = {}): Promise<Interruption> {
    const sounding = this.#feeding?.speech ?? this.#draining.at(-1)?.speech;
    const dropped = this.#stopAll(options.fadeMs ?? FADE_MS);
    const end = await sounding?.finished;
    return { heardMs: end?.heardMs ?? 0, dropped };
  }

  /** Holds the speech where it is; what the agent holds still sounds. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    const run = this.#feeding;
    if (!run?.begun) return;
    this.#sendFaded(run, FADE_MS);
    this.#closeSegment(run);
    run.fadeInNext = true;
    run.speech.enter('paused');
  }

  /** Goes on after `pause()`. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#feeding?.speech.state === 'paused') this.#feeding.speech.enter('speaking');
    this.#pump(this.#now());
    this.#advance();
  }

  /** The agent is lost: ends what sounds, or keeps it for the agent's return by its option. What waits goes on waiting. */
  lost(error: BridgeError): void {
    const nowMs = this.#now();
    const hit = [...this.#draining, ...(this.#feeding ? [this.#feeding] : [])];
    const heardTo = this.#heardSchedule(nowMs);
    this.#draining = [];
    this.#feeding = undefined;
    const resumed: Run[] = [];
    for (const run of hit) {
      if (run.speech.options.onAgentLost === 'resume' && run.outcome?.how !== 'stopped') {
        const heard = Math.floor(run.fromSchedule(heardTo));
        run.rewind(heard, this.#tail.last(run, run.sentSamples - heard));
        run.speech.enter('queued');
        resumed.push(run);
      } else {
        this.#settle(run, 'avatar-lost', error, run.heardMs(heardTo));
      }
    }
    for (const run of resumed.reverse()) this.#waiting.putBack(run);
    this.#resetSchedule();
    // A speech that was preparing waits on: its wait for the agent goes on by itself.
    this.#advance();
  }

  /** The agent's reading changed: marks came back, or it was found to have stopped. */
  readingChanged(): void {
    const nowMs = this.#now();
    const { sink, logger } = this.#options;
    if (sink.stalled) {
      this.#stalledSince ??= nowMs;
      return;
    }
    if (this.#stalledSince === undefined) return;
    this.#stalledSince = undefined;
    if (sink.readSamples !== undefined && this.#schedule.running) {
      const read = Math.min(sink.readSamples - this.#sinkBase, this.#schedule.sentSamples);
      this.#schedule.correct(Math.min(this.#schedule.playedSamples(nowMs), read), nowMs);
      logger.warn({ heldMs: Math.round(this.heldMs) }, 'the agent reads again');
    }
    this.#pump(nowMs);
  }

  /** @internal See `Speech.stop()`. */
  stop(speech: Speech, fadeMs: number = FADE_MS): void {
    const run = this.#runs.get(speech);
    if (!run) return;
    if (run === this.#feeding) this.#cut(run, fadeMs);
    else if (!this.#draining.includes(run)) this.#settle(run, 'stopped', stoppedError(run));
    this.#advance();
  }

  /** @internal See `Speech.cue()`. */
  addCue(speech: Speech, cue: Cue): void {
    this.#options.checkCommand(cue.send);
    const run = this.#runs.get(speech);
    if (!run) return;
    run.cues.add(cue);
    this.#sendCues(this.#now());
  }

  /** @internal See `Speech.position`. */
  position(speech: Speech): SpeechPosition {
    const run = this.#runs.get(speech);
    const positionMs = run?.begun
      ? run.heardMs(this.#heardSchedule(this.#now()))
      : (speech.end?.heardMs ?? 0);
    const durationMs = run ? run.feed.durationMs : speech.end?.durationMs;
    return { positionMs, durationMs, heldMs: run?.begun ? this.heldMs : 0 };
  }

  /** Ends every speech at once as stopped, without a fade, and takes no more. */
  close(): void {
    if (this.#closed) return;
    this.#stopAll(FADE_MS);
    this.#closed = true;
    for (const run of [...this.#runs.values()]) this.#settle(run, 'stopped', stoppedError(run));
    this.#pumpTask?.cancel();
    this.#cueTask?.cancel();
    this.#watchTask?.cancel();
  }

  // ---- what comes next ------------------------------------------------------------------------------------------

  #advance(): void {
    if (this.#closed || this.#preparing || this.#feeding || this.#paused) return;
    const next = this.#waiting.first();
    if (!next) {
      if (this.#runs.size === 0) this.#events.emit('idle', undefined);
      return;
    }
    if (this.#draining.length > 0 && !next.immediate && !next.speech.options.join) return next.feed.start();
    this.#waiting.remove(next);
    this.#preparing = next;
    next.speech.enter('preparing');
    next.feed.start();
    const { signal } = next.preparing;
    this.#options.sink
      .prepare(next.speech.options, signal, (message) => next.speech.tell('waiting', message))
      .then(
        () => this.#begin(next),
        (error: unknown) => {
          if (this.#preparing !== next) return;
          const reason =
            error instanceof BridgeError
              ? error
              : new BridgeError('INTERNAL', String(error), { cause: error });
          this.#settle(next, 'failed', reason);
          this.#advance();
        },
      );
    this.#onFeed(next);
  }

  #begin(run: Run): void {
    if (this.#preparing !== run) return;
    this.#preparing = undefined;
    this.#feeding = run;
    if (this.#draining.length === 0) this.#resetSchedule();
    this.#pump(this.#now());
  }

  #resetSchedule(): void {
    this.#schedule = new Schedule();
    this.#segmentSamples = 0;
    this.#starved = false;
    this.#stalledSince = undefined;
    this.#sinkBase = this.#options.sink.sentSamples;
    this.#tail.clear();
  }

  #onFeed(run: Run): void {
    const { feed, speech } = run;
    if (feed.info && !speech.info) speech.setInfo(feed.info);
    if (feed.ended && !feed.error) run.cues.setEnd(feed.readSamples);
    if (feed.exhausted && run.sentSamples === 0 && this.#runs.has(speech) && run !== this.#feeding) {
      // Nothing will ever come: its caller need not wait for an agent to hear so.
      this.#settle(run, 'failed', feed.error ?? emptyError(run));
      return this.#advance();
    }
    if (run === this.#feeding || (this.#feeding?.feed.exhausted && run === this.#waiting.first())) {
      this.#pump(this.#now());
    }
  }

  // ---- sending --------------------------------------------------------------------------------------------------

  #leadSamples(run: Run): number {
    return msToSamples(run.speech.options.leadMs ?? this.#options.leadMs());
  }

  /** Sends all that may leave now, then asks the wheel for the next moment. `dueMs` is the moment that was asked for. */
  #pump(nowMs: number, dueMs?: number): void {
    this.#pumpTask?.cancel();
    this.#pumpTask = undefined;
    while (this.#feeding && !this.#paused && !this.#options.sink.stalled) {
      const run = this.#feeding;
      if (!this.#schedule.maySend(nowMs, this.#leadSamples(run))) break;
      const frame = this.#nextFrame(run, nowMs, dueMs !== undefined);
      if (!frame) {
        if (run.feed.exhausted) {
          if (this.#sendingEnds(run, nowMs)) continue;
        } else this.#starved ||= this.#schedule.running;
        break;
      }
      this.#send(run, frame, nowMs, dueMs);
    }
    this.#arm(nowMs);
  }

  /** The next frame, or nothing when the sound has not come that far. */
  #nextFrame(run: Run, nowMs: number, byWheel: boolean): Int16Array | undefined {
    const { feed } = run;
    if (feed.live && !run.primed) {
      // A live sound comes at the pace at which it is played: the lead has to be gathered before the first frame.
      const target = Math.min(this.#leadSamples(run), msToSamples(this.#options.bufferMs) / 2);
      if (feed.bufferedSamples < target && !feed.ended) return undefined;
      run.primed = true;
    }
    if (feed.bufferedSamples >= this.#frameSamples || feed.ended) return feed.take(this.#frameSamples);
    // Less than a frame is there. Before the agent runs dry it goes out as it is: a syllable's end must not wait for
    // the next burst. Only at the wheel's pace, so that a source of single samples does not make frames of them.
    const nearlyDry =
      this.#schedule.running &&
      this.#schedule.at(nowMs).heldSamples <= msToSamples(this.#options.wheel.slotMs * 2);
    return byWheel && nearlyDry && !feed.live ? feed.take(this.#frameSamples) : undefined;
  }

  #send(run: Run, taken: Int16Array, nowMs: number, dueMs: number | undefined): void {
    const frame = run.fadeInNext ? fadeIn(taken) : taken;
    run.fadeInNext = false;
    const wasRunning = this.#schedule.running;
    const latenessMs =
      dueMs !== undefined && !this.#starved
        ? Math.max(0, nowMs - this.#schedule.nextDueMs(this.#leadSamples(run)))
        : undefined;
    const at = this.#schedule.sentSamples;
    const dryMs = this.#transmit(frame, nowMs);
    if (!run.begun) run.speech.enter('speaking');
    // A gap is a silence inside a sound, not the pause before it.
    else if (wasRunning && dryMs > 0) this.#reportGap(run, dryMs);
    this.#starved = false;
    run.sent(frame.length, at);
    this.#tail.add(run, frame);
    if (run.feed.live && dryMs > 0) run.primed = run.feed.bufferedSamples > 0;
    this.#events.emit('frame', { samples: frame.length, latenessMs, heldMs: this.heldMs });
    this.#armCues();
    this.#watchTask ??= this.#options.wheel.at(this.#nextWatchMs(nowMs), (now) => this.#watch(now));
  }

  /** One frame to the agent and into the books. */
  #transmit(frame: Int16Array, nowMs: number): number {
    this.#options.sink.frame(frame);
    this.#segmentSamples += frame.length;
    return this.#schedule.sent(frame.length, nowMs, this.#options.wheel.align(nowMs));
  }

  #reportGap(run: Run, lengthMs: number): void {
    const cause = this.#starved ? 'source' : 'stall';
    run.gap(lengthMs, cause);
    this.#events.emit('gap', { speech: run.speech, lengthMs, cause });
    const reason =
      cause === 'source' ? 'the sound came late' : 'the process was stalled for longer than the lead';
    run.speech.tell('warning', `A silence of ${Math.round(lengthMs)} ms: ${reason}.`);
  }

  /** Pads the segment to whole blocks, else its last samples would be lost or head the next one (protocol.md §4). */
  #closeSegment(run: Run): void {
    if (this.#segmentSamples === 0) return;
    const padding = (BLOCK_SAMPLES - (this.#segmentSamples % BLOCK_SAMPLES)) % BLOCK_SAMPLES;
    if (padding > 0) {
      this.#transmit(new Int16Array(padding), this.#now());
      run.inserted(padding);
    }
    this.#options.sink.endSegment();
    this.#segmentSamples = 0;
  }

  #sendFaded(run: Run, fadeMs: number): void {
    let left = msToSamples(fadeMs);
    const tail = run.begun && left > 0 ? run.feed.take(left) : undefined;
    if (!tail) return;
    const faded = fadeOut(tail);
    left = 0;
    for (let at = 0; at < faded.length; at += this.#frameSamples) {
      const piece = faded.subarray(at, at + this.#frameSamples);
      const from = this.#schedule.sentSamples;
      this.#transmit(piece, this.#now());
      run.sent(piece.length, from);
      this.#tail.add(run, piece);
    }
  }

  /** Everything of `run` has left. @returns true when a joined speech took its place in the same segment */
  #sendingEnds(run: Run, nowMs: number): boolean {
    const next = this.#waiting.first();
    if (next?.speech.options.join && !run.feed.error && sameNeeds(run, next)) {
      next.feed.start();
      if (next.feed.bufferedSamples > 0) {
        this.#drain(run, 'completed', undefined);
        this.#waiting.remove(next);
        next.speech.enter('preparing');
        this.#feeding = next;
        return true;
      }
      if (!next.feed.ended && this.#schedule.at(nowMs).heldSamples > msToSamples(JOIN_UNTIL_HELD_MS))
        return false;
    }
    if (run.begun) {
      this.#closeSegment(run);
      const error = run.feed.error;
      this.#drain(run, error ? 'failed' : 'completed', error);
    } else {
      this.#settle(run, 'failed', run.feed.error ?? emptyError(run));
    }
    this.#advance();
    return false;
  }

  #drain(run: Run, how: SpeechEnd['how'], error: BridgeError | undefined): void {
    if (this.#feeding === run) this.#feeding = undefined;
    run.outcome = { how, error };
    this.#draining.push(run);
    run.speech.enter('draining');
    this.#watchTask?.cancel();
    const nowMs = this.#now();
    this.#watchTask = this.#options.wheel.at(this.#nextWatchMs(nowMs), (now) => this.#watch(now));
  }

  #cut(run: Run, fadeMs: number): void {
    if (!run.begun) return this.#settle(run, 'stopped', stoppedError(run));
    if (!this.#paused && !this.#options.sink.stalled) this.#sendFaded(run, fadeMs);
    this.#closeSegment(run);
    void run.feed.cancel();
    this.#dropCues(run);
    this.#drain(run, 'stopped', stoppedError(run));
  }

  #stopAll(fadeMs: number): number {
    const waiting = this.#waiting.list();
    for (const run of waiting) this.#settle(run, 'stopped', stoppedError(run));
    if (this.#preparing) this.#settle(this.#preparing, 'stopped', stoppedError(this.#preparing));
    if (this.#feeding) this.#cut(this.#feeding, fadeMs);
    return waiting.length;
  }

  // ---- time -----------------------------------------------------------------------------------------------------

  #arm(nowMs: number): void {
    const run = this.#feeding;
    if (!run || this.#paused || this.#options.sink.stalled || this.#pumpTask) return;
    const { wheel } = this.#options;
    const held = this.#schedule.at(nowMs).heldSamples;
    let dueMs: number;
    if (!this.#schedule.maySend(nowMs, this.#leadSamples(run)))
      dueMs = this.#schedule.nextDueMs(this.#leadSamples(run));
    else if (!this.#schedule.running) return;
    // The sound is late. What matters next is the moment before the agent runs dry, then that at which to close.
    else if (held > msToSamples(wheel.slotMs * 2))
      dueMs = this.#schedule.timeOf(this.#schedule.sentSamples) - wheel.slotMs * 2;
    else if (this.#segmentSamples > 0 && !run.feed.exhausted) dueMs = nowMs + wheel.slotMs;
    else return;
    this.#pumpTask = wheel.at(dueMs, (now) => {
      this.#pumpTask = undefined;
      const { dryMs } = this.#schedule.at(now);
      if (
        dryMs > CLOSE_AFTER_DRY_MS &&
        this.#feeding === run &&
        run.begun &&
        run.feed.bufferedSamples === 0 &&
        !run.feed.ended
      ) {
        this.#closeSegment(run);
        run.speech.tell(
          'warning',
          `${run.speech.label} has paused: no sound came for ${CLOSE_AFTER_DRY_MS} ms.`,
        );
      }
      this.#pump(now, dueMs);
    });
  }

  /** What the agent has played, by the schedule, as an ear at its loudspeaker hears it. */
  #heardSchedule(nowMs: number): number {
    const heard = this.#schedule.playedSamples(nowMs - START_LATENCY_MS);
    const { sink } = this.#options;
    if (this.#stalledSince === undefined || sink.readSamples === undefined) return heard;
    return Math.min(heard, sink.readSamples - this.#sinkBase);
  }

  #active(): Run[] {
    return this.#feeding ? [...this.#draining, this.#feeding] : this.#draining;
  }

  #nextWatchMs(nowMs: number): number {
    let next = nowMs + POSITION_EVERY_MS;
    for (const run of this.#draining) next = Math.min(next, this.#schedule.timeOf(run.endSample) + TAIL_MS);
    return Math.max(next, nowMs + 1);
  }

  /** Tells positions and settles what has been heard to its end. */
  #watch(nowMs: number): void {
    this.#watchTask = undefined;
    const heard = this.#heardSchedule(nowMs);
    for (const run of this.#active()) {
      if (run.begun && run.fromSchedule(heard) > 0) run.speech.markStarted();
      if (run.speech.followed) run.speech.tell('position', this.position(run.speech));
    }
    for (const run of [...this.#draining]) {
      const played = this.#schedule.playedSamples(nowMs);
      const over = played >= run.endSample && nowMs >= this.#schedule.timeOf(run.endSample) + TAIL_MS - 0.5;
      if (over && this.#stalledSince === undefined && run.outcome) {
        this.#settle(run, run.outcome.how, run.outcome.error, run.heardMs(Infinity));
      }
    }
    if (this.#active().length > 0) {
      this.#watchTask ??= this.#options.wheel.at(this.#nextWatchMs(nowMs), (now) => this.#watch(now));
    }
    this.#advance();
  }

  // ---- cues -----------------------------------------------------------------------------------------------------

  #sendCues(nowMs: number): void {
    // A cue acts about as long after its sending as a sample sounds after its turn (protocol.md §4): the played
    // position, not the heard one, is its moment.
    const played = this.#schedule.playedSamples(nowMs);
    for (const run of this.#active()) {
      if (!run.begun || run.cues.size === 0) continue;
      for (const cue of run.cues.takeDue(run.fromSchedule(played) + 1)) this.#sendCue(run, cue);
    }
    this.#armCues();
  }

  #sendCue(run: Run, cue: Cue): void {
    this.#options.sink.command(cue.send);
    run.cuesSent += 1;
    run.speech.tell('cue', cue);
  }

  #dropCues(run: Run): void {
    for (const cue of run.cues.takeAll()) {
      if (cue.always) this.#sendCue(run, cue);
      else run.cuesDropped += 1;
    }
  }

  #armCues(): void {
    this.#cueTask?.cancel();
    this.#cueTask = undefined;
    let dueMs = Infinity;
    for (const run of this.#active()) {
      const sample = run.cues.nextSample;
      if (sample === undefined || !run.begun) continue;
      const at = run.toSchedule(sample);
      // Beyond what was sent the moment is not known yet: the next frame asks again.
      if (at <= this.#schedule.sentSamples) dueMs = Math.min(dueMs, this.#schedule.timeOf(at));
    }
    if (dueMs < Infinity) this.#cueTask = this.#options.wheel.at(dueMs, (now) => this.#sendCues(now));
  }

  // ---- the one end of every speech --------------------------------------------------------------------------------

  #settle(run: Run, how: SpeechEnd['how'], error: BridgeError | undefined, heardMs = 0): void {
    if (!this.#runs.delete(run.speech)) return;
    this.#waiting.remove(run);
    if (this.#preparing === run) this.#preparing = undefined;
    if (this.#feeding === run) this.#feeding = undefined;
    this.#draining = this.#draining.filter((other) => other !== run);
    const durationMs = run.feed.durationMs;
    const droppedMs = samplesToMs(run.feed.droppedSamples);
    if (how === 'completed') for (const cue of run.cues.takeAll()) this.#sendCue(run, cue);
    else this.#dropCues(run);
    run.preparing.abort(stoppedError(run));
    void run.feed.cancel();
    if (heardMs > 0) run.speech.markStarted();
    run.speech.settle({
      how,
      heardMs,
      durationMs,
      gaps: run.gaps,
      droppedMs,
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
  return a.speech.options.model === b.speech.options.model && a.speech.options.mode === b.speech.options.mode;
}

function stoppedError(run: Run): BridgeError {
  return new BridgeError('SPEECH_STOPPED', `The speech of ${run.speech.label} was stopped.`);
}

function emptyError(run: Run): BridgeError {
  return new BridgeError('SOUND_EMPTY', `${run.speech.label} holds no sound.`);
}

import { msToSamples, samplesToMs } from '../base/units.js';
import type { Gain } from '../audio/gain.js';
import { fadeIn, fadeOut } from './fade.js';
import { AdaptiveLead, leadNowMs, type Lead } from './lead.js';
import type { PlaybackClock } from './playback-clock.js';
import type { ActiveSpeech } from './active-speech.js';
import { SentHistory } from './sent-history.js';
import type { TimerWheel, TimerTask } from './timer-wheel.js';

/** When a sound pauses by itself this long, the segment is closed so that the mouth closes too. */
const CLOSE_AFTER_DRY_MS = 300;

/** Live sound that nothing has followed for the lead, and for no less than this, is all that there is for now. */
const MIN_QUIET_MS = 100;
/** Pieces of live sound that come no further apart than this, in ms, belong together at the smallest lead. */
const MIN_PIECE_MS = 50;

/** How well in time a frame left. */
export interface FrameTiming {
  /** How late, in ms. */
  readonly latenessMs: number;
  /** What the agent held just before it, in ms. */
  readonly heldMs: number;
}

/** What a pacer stands on, and whom it tells. */
export interface PacerOptions {
  readonly playback: PlaybackClock;
  readonly wheel: TimerWheel;
  readonly frameMs: number;
  readonly bufferMs: number;
  /** The agent's volume, over that of each speech. */
  readonly volume: Gain;
  /** What the agent may hold, unless a speech says otherwise. It is told how well in time the frames left. */
  readonly lead: Lead;
  /** Its first frame has left. */
  onBegun(run: ActiveSpeech): void;
  /** A frame has left. `timing` is there when it was due by the clock and not kept back by its sound. */
  onFrame(run: ActiveSpeech, samples: number, timing: FrameTiming | undefined): void;
  /** The agent was silent where there should have been sound. */
  readonly onGap: (run: ActiveSpeech, lengthMs: number, cause: 'source' | 'stall') => void;
  /** The sound pauses by itself. */
  onPause(run: ActiveSpeech, afterMs: number): void;
  /** All of it has left. @returns true when another run has taken its place and may go on at once */
  onExhausted(run: ActiveSpeech, nowMs: number): boolean;
}

/**
 * Sends one run's frames when the schedule lets them go. It has one speech at a time, and no will of its own about
 * what comes next.
 */
export class Pacer {
  readonly #options: PacerOptions;
  readonly #frameSamples: number;
  readonly #nearlyDrySamples: number;
  readonly #tail = new SentHistory();
  #run: ActiveSpeech | undefined;
  #held = false;
  #starved = false;
  /** It may send and has nothing to send. */
  #short = false;
  /** How long the agent had been dry when the segment was closed for it; part of the gap that the next frame ends. */
  #dryBeforeMs = 0;
  readonly #task: TimerTask;
  /** The moment for which `#task` was asked. */
  #dueMs = 0;

  constructor(options: PacerOptions) {
    this.#options = options;
    this.#frameSamples = msToSamples(options.frameMs);
    this.#nearlyDrySamples = msToSamples(options.wheel.slotMs * 2);
    this.#task = options.wheel.task((nowMs) => this.#wake(nowMs));
  }

  /** The run whose frames leave. */
  get run(): ActiveSpeech | undefined {
    return this.#run;
  }

  /** Hands over another run, or none; frames leave with the next `pump()`. */
  feed(run: ActiveSpeech | undefined): void {
    this.#run = run;
    this.#starved = false;
    this.#dryBeforeMs = 0;
    if (!run) this.#task.cancel();
  }

  /** Forgets what was sent: with a new connection or a new schedule. */
  reset(): void {
    this.#tail.clear();
  }

  /** The samples of `run` that were sent last, at most `count`. */
  lastSent(run: ActiveSpeech, count: number): Int16Array {
    return this.#tail.last(run, count);
  }

  /** Holds the frames back, with a fade and a closed segment, so that the mouth closes without a click. */
  hold(fadeMs: number): void {
    this.#held = true;
    this.#task.cancel();
    if (this.#run?.begun) this.cut(this.#run, fadeMs);
  }

  /** Lets frames go again. */
  release(nowMs: number): void {
    this.#held = false;
    this.pump(nowMs);
  }

  /** Sends the next `fadeMs` of the run, or a little less, falling to silence, and closes the segment. */
  cut(run: ActiveSpeech, fadeMs: number): void {
    const { playback } = this.#options;
    const fades = fadeMs > 0 && !playback.frozen && playback.segmentOpen;
    const tail = fades ? run.feed.take(this.#fadeSamples(msToSamples(fadeMs))) : undefined;
    const faded = fadeOut(tail ?? new Int16Array(0));
    for (let at = 0; at < faded.length; at += this.#frameSamples) {
      this.#transmit(run, faded.subarray(at, at + this.#frameSamples));
    }
    this.endSegment(run);
    run.fadeInNext = true;
  }

  /** A fade that ends with a block needs no padding behind it, which would only put the silence off. */
  #fadeSamples(wanted: number): number {
    const { samplesToBlock } = this.#options.playback;
    return samplesToBlock < wanted && samplesToBlock >= wanted / 2 ? samplesToBlock : wanted;
  }

  /** Closes the segment; what is padded counts as silence within the run. @returns the samples of padding */
  endSegment(run: ActiveSpeech): number {
    const padding = this.#options.playback.endSegment();
    run.inserted(padding);
    return padding;
  }

  /** Sends all that may leave now, then asks the wheel for the next moment. `dueMs` is the moment it was asked for. */
  pump(nowMs: number, dueMs?: number): void {
    this.#task.cancel();
    this.#short = false;
    const { playback } = this.#options;
    while (this.#run && !this.#held && !playback.frozen) {
      const run = this.#run;
      const { schedule } = playback;
      const leadSamples = this.#leadSamples(run);
      if (!schedule.maySend(nowMs, leadSamples)) return this.#wakeAt(schedule.nextDueMs(leadSamples));
      const samples = this.#next(run, nowMs, dueMs !== undefined);
      if (samples) this.#send(run, samples, leadSamples, dueMs);
      else if (!run.feed.exhausted || !this.#options.onExhausted(run, nowMs)) return this.#wait(nowMs);
    }
  }

  /** Samples came: they leave at once where they were waited for. */
  fed(nowMs: number): void {
    if (this.#short) this.pump(nowMs);
  }

  #send(run: ActiveSpeech, samples: Int16Array, leadSamples: number, dueMs: number | undefined): void {
    const { playback, lead } = this.#options;
    const first = !run.begun;
    const byClock = dueMs !== undefined && !this.#starved && !first;
    const frameDueMs = playback.schedule.nextDueMs(leadSamples);
    const resumed = run.fadeInNext;
    run.fadeInNext = false;
    const dryMs = this.#transmit(run, resumed ? fadeIn(samples) : samples) + this.#dryBeforeMs;
    this.#dryBeforeMs = 0;
    if (first) this.#options.onBegun(run);
    // A gap is a silence inside a sound: neither the pause before it, nor one that was asked for.
    else if (dryMs > 0 && !resumed && !(run.feed.pauses && dryMs >= CLOSE_AFTER_DRY_MS))
      this.#gap(run, dryMs);
    this.#starved = false;
    const timing = byClock ? this.#timing(frameDueMs, leadSamples) : undefined;
    if (timing && lead instanceof AdaptiveLead)
      lead.frameLeft(timing.heldMs, timing.latenessMs, playback.sentAtMs);
    this.#options.onFrame(run, samples.length, timing);
  }

  /** By the moment at which the frame has left, not that of the wake-up: the agents before it in a slot took time. */
  #timing(frameDueMs: number, leadSamples: number): FrameTiming {
    const latenessMs = Math.max(0, this.#options.playback.sentAtMs - frameDueMs);
    return { latenessMs, heldMs: Math.max(0, samplesToMs(leadSamples) - latenessMs) };
  }

  #gap(run: ActiveSpeech, lengthMs: number): void {
    const { lead, playback, onGap } = this.#options;
    const cause = this.#starved ? 'source' : 'stall';
    run.gap(lengthMs, cause);
    if (cause === 'stall' && lead instanceof AdaptiveLead) lead.ranDry(playback.sentAtMs);
    onGap(run, lengthMs, cause);
  }

  #transmit(run: ActiveSpeech, samples: Int16Array): number {
    const at = this.#options.playback.schedule.sentSamples;
    const scaled = this.#options.volume.push(run.gain.push(samples));
    const dryMs = this.#options.playback.transmit(scaled);
    const atSample = run.sentSamples;
    run.sent(samples.length, at);
    this.#tail.add(run, samples);
    if (run.speech.recorded) run.speech.tell('sent', { samples: scaled, atSample });
    return dryMs;
  }

  /** The next samples to send, or nothing when the sound has not come that far. */
  #next(run: ActiveSpeech, nowMs: number, byWheel: boolean): Int16Array | undefined {
    const { feed } = run;
    const { schedule } = this.#options.playback;
    // The end of a word must not wait for the next one in the filters.
    if (this.#lastHeldBack(run) && nowMs >= this.#lastDueMs(run)) feed.settle();
    // What a gate left behind goes out even when its moment was missed: it must not wait for the next words.
    const leftBehind = feed.pauses && feed.bufferedSamples < this.#frameSamples;
    if (feed.live && (!run.primed || (schedule.at(nowMs).dryMs > 0 && !leftBehind))) {
      // A live sound comes at the pace at which it is played: the lead has to be gathered before the first frame, and
      // anew before the first one behind a silence.
      run.primed = false;
      if (feed.bufferedSamples < this.#cushionSamples(run) && !feed.ended) {
        if (feed.bufferedSamples === 0 || nowMs < this.#quietAtMs(run)) return undefined;
        // A word shorter than the lead must not wait for the next one.
        feed.settle();
        run.primed = true;
        return feed.take(this.#frameSamples);
      }
      run.primed = true;
    }
    if (feed.bufferedSamples >= this.#frameSamples || feed.ended) return feed.take(this.#frameSamples);
    // Less than a frame is there. Before the agent runs dry it goes out as it is: a syllable's end must not wait for
    // the next burst. Only at the wheel's pace, so that a source of single samples does not make frames of them.
    if (!byWheel || !schedule.running) return undefined;
    const nearlyDry = schedule.at(nowMs).heldSamples <= this.#nearlyDrySamples;
    return nearlyDry ? feed.take(this.#frameSamples) : undefined;
  }

  /** What a live sound has to gather before it flows. */
  #cushionSamples(run: ActiveSpeech): number {
    return Math.min(this.#leadSamples(run), msToSamples(this.#options.bufferMs) / 2);
  }

  /** All that came of a live sound has left, but for what its filters hold back. */
  #lastHeldBack({ feed }: ActiveSpeech): boolean {
    return feed.live && feed.bufferedSamples === 0 && feed.unsettled;
  }

  /** When that has to go: when the agent is about to run dry of it, so that no silence comes in between. */
  #lastDueMs({ feed }: ActiveSpeech): number {
    return Math.max(this.#nearlyDryAtMs(), feed.cameMs + MIN_PIECE_MS);
  }

  /** The moment before the agent runs dry. */
  #nearlyDryAtMs(): number {
    const { schedule } = this.#options.playback;
    return schedule.running ? schedule.timeOf(schedule.sentSamples - this.#nearlyDrySamples) : -Infinity;
  }

  /** The moment from which a live sound has paused, if nothing comes before. */
  #quietAtMs(run: ActiveSpeech): number {
    return run.feed.cameMs + Math.max(samplesToMs(this.#cushionSamples(run)), MIN_QUIET_MS);
  }

  /** There is nothing to send. */
  #wait(nowMs: number): void {
    const run = this.#run;
    const { playback, wheel } = this.#options;
    const { schedule } = playback;
    if (!run || this.#held || playback.frozen) return;
    this.#short = true;
    if (schedule.running && !run.feed.exhausted) this.#starved = true;
    const nextSlotMs = nowMs + wheel.slotMs;
    if (run.feed.live && !run.primed && run.feed.bufferedSamples > 0)
      return this.#wakeAt(Math.max(this.#quietAtMs(run), nextSlotMs));
    // The sound is late. What matters next is the moment before the agent runs dry, then that at which to close.
    if (schedule.running && playback.segmentOpen)
      return this.#wakeAt(Math.max(this.#nearlyDryAtMs(), nextSlotMs));
    if (this.#lastHeldBack(run)) this.#wakeAt(Math.max(this.#lastDueMs(run), nextSlotMs));
  }

  #wakeAt(dueMs: number): void {
    this.#dueMs = dueMs;
    this.#task.at(dueMs);
  }

  #wake(nowMs: number): void {
    const run = this.#run;
    if (run?.begun && run.feed.bufferedSamples === 0 && !run.feed.ended) this.#closeIfDry(run, nowMs);
    this.pump(nowMs, this.#dueMs);
  }

  #closeIfDry(run: ActiveSpeech, nowMs: number): void {
    const { dryMs } = this.#options.playback.schedule.at(nowMs);
    if (dryMs < CLOSE_AFTER_DRY_MS) return;
    // The padding, if any, begins a new anchor: what came before it has to be remembered.
    if (this.endSegment(run) > 0) this.#dryBeforeMs = dryMs;
    if (!run.feed.pauses) this.#options.onPause(run, dryMs);
  }

  #leadSamples(run: ActiveSpeech): number {
    return msToSamples(run.speech.options.leadMs ?? leadNowMs(this.#options.lead));
  }
}

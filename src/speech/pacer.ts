import { msToSamples, samplesToMs } from '../base/units.js';
import type { ActiveSpeech } from './active-speech.js';
import type { Pace } from './feed.js';
import { AdaptiveLead, leadNowMs, speechLead } from './lead.js';
import type { PlayerContext } from './player-context.js';
import type { TimerTask } from './timer-wheel.js';

/** Pause of a sound after which the segment is closed, in ms, so that the mouth closes too. */
const CLOSE_AFTER_DRY_MS = 300;
/**
 * Maximum kept samples: more than an agent can hold at the longest lead, with a frame and its latency (3 s at
 * 16 kHz).
 */
const MAX_HISTORY_SAMPLES = 48_000;

/** Callbacks of a pacer. */
export interface PacerListener {
  /** Called when a frame of the run was sent. */
  frameLeft(run: ActiveSpeech, first: boolean): void;
  /**
   * Called when all of the run was sent. @returns true when another run has taken its place and may go on at
   * once
   */
  exhausted(run: ActiveSpeech, nowMs: number): boolean;
}

/**
 * Sends the frames of one run when the schedule allows. It has one speech at a time and does not choose the
 * next.
 */
export class Pacer {
  readonly #context: PlayerContext;
  readonly #listener: PacerListener;
  readonly #frameSamples: number;
  readonly #history = new SentHistory();
  #run: ActiveSpeech | undefined;
  #held = false;
  #starved = false;
  /** True when it may send and has no samples. */
  #short = false;
  /**
   * Time the agent had been dry when the segment was closed, in ms; part of the gap that the next frame ends.
   */
  #dryBeforeMs = 0;
  readonly #task: TimerTask;
  /** Time for which `#task` was scheduled. */
  #dueMs = 0;

  constructor(context: PlayerContext, listener: PacerListener) {
    this.#context = context;
    this.#listener = listener;
    this.#frameSamples = msToSamples(context.frameMs);
    this.#task = context.wheel.task((nowMs) => this.#wake(nowMs));
  }

  /** The run whose frames are sent. */
  get run(): ActiveSpeech | undefined {
    return this.#run;
  }

  /** Sets the run, or none; its frames are sent at the next `pump()`. */
  feed(run: ActiveSpeech | undefined): void {
    this.#run = run;
    this.#starved = false;
    this.#dryBeforeMs = 0;
    if (!run) this.#task.cancel();
  }

  /** Discards the history of sent samples, for a new connection or a new schedule. */
  reset(): void {
    this.#history.clear();
  }

  /** Returns the samples of `run` that were sent last, at most `count`. */
  lastSent(run: ActiveSpeech, count: number): Int16Array {
    return this.#history.last(run, count);
  }

  /** Holds the frames back after a fade and a segment end, so that the mouth closes without a click. */
  hold(fadeMs: number): void {
    this.#held = true;
    this.#task.cancel();
    if (this.#run?.begun) this.cut(this.#run, fadeMs);
  }

  /** Continues to send frames. */
  release(nowMs: number): void {
    this.#held = false;
    this.pump(nowMs);
  }

  /** Sends a fade-out of about `fadeMs` of the run, and closes the segment. */
  cut(run: ActiveSpeech, fadeMs: number): void {
    const { playback } = this.#context;
    const fades = fadeMs > 0 && !playback.frozen && playback.segmentOpen;
    const tail = fades ? run.feed.take(this.#fadeSamples(msToSamples(fadeMs))) : undefined;
    const falling = faded(tail ?? new Int16Array(0), 'out');
    for (let at = 0; at < falling.length; at += this.#frameSamples) {
      this.#transmit(run, falling.subarray(at, at + this.#frameSamples));
    }
    this.endSegment(run);
    run.fadeInNext = true;
  }

  /** Shortens the fade so that it ends with a block: padding would only delay the silence. */
  #fadeSamples(wanted: number): number {
    const { samplesToBlock } = this.#context.playback;
    return samplesToBlock < wanted && samplesToBlock >= wanted / 2 ? samplesToBlock : wanted;
  }

  /** Closes the segment; padding counts as silence within the run. @returns the samples of padding */
  endSegment(run: ActiveSpeech): number {
    const padding = this.#context.playback.endSegment();
    run.inserted(padding);
    return padding;
  }

  /**
   * Sends everything that may be sent now and schedules the next call. `dueMs` is the time it was scheduled
   * for.
   */
  pump(nowMs: number, dueMs?: number): void {
    this.#task.cancel();
    this.#short = false;
    const { playback } = this.#context;
    while (this.#run && !this.#held && !playback.frozen) {
      const run = this.#run;
      const { schedule } = playback;
      const leadMs = leadNowMs(speechLead(run.speech.options, this.#context));
      const leadSamples = msToSamples(leadMs);
      if (!schedule.maySend(nowMs, leadSamples)) return this.#wakeAt(schedule.nextDueMs(leadSamples));
      const { segmentOpen } = playback;
      const pace: Pace = { nowMs, schedule, segmentOpen, leadMs, byClock: dueMs !== undefined };
      const samples = run.feed.next(this.#frameSamples, pace);
      if (samples) this.#send(run, samples, leadSamples, dueMs);
      else if (!run.feed.exhausted || !this.#listener.exhausted(run, nowMs)) return this.#wait(pace);
    }
  }

  /** Handles new samples: they are sent at once when the pacer waits for them. */
  fed(nowMs: number): void {
    if (this.#short) this.pump(nowMs);
  }

  #send(run: ActiveSpeech, samples: Int16Array, leadSamples: number, dueMs: number | undefined): void {
    const { playback } = this.#context;
    const lead = speechLead(run.speech.options, this.#context);
    const first = !run.begun;
    const byClock = dueMs !== undefined && !this.#starved && !first;
    const frameDueMs = playback.schedule.nextDueMs(leadSamples);
    const resumed = run.fadeInNext;
    run.fadeInNext = false;
    const dryMs = this.#transmit(run, resumed ? faded(samples, 'in') : samples) + this.#dryBeforeMs;
    this.#dryBeforeMs = 0;
    // A gap is a silence within a sound: neither the pause before it nor a pause of the sound itself.
    const ownPause = run.feed.pauses && dryMs >= CLOSE_AFTER_DRY_MS;
    if (!first && dryMs > 0 && !resumed && !ownPause) this.#gap(run, dryMs);
    this.#starved = false;
    if (byClock && lead instanceof AdaptiveLead) {
      // Measured when the frame was sent, not at the wake-up: the agents before it in the slot took time.
      const latenessMs = Math.max(0, playback.sentAtMs - frameDueMs);
      lead.frameLeft(Math.max(0, samplesToMs(leadSamples) - latenessMs), latenessMs, playback.sentAtMs);
    }
    this.#listener.frameLeft(run, first);
  }

  #gap(run: ActiveSpeech, lengthMs: number): void {
    const { playback, listener } = this.#context;
    const lead = speechLead(run.speech.options, this.#context);
    const cause = this.#starved ? 'source' : 'stall';
    if (cause === 'stall' && lead instanceof AdaptiveLead) lead.ranDry(playback.sentAtMs);
    listener.gap(run, lengthMs, cause);
  }

  #transmit(run: ActiveSpeech, samples: Int16Array): number {
    const { playback, volume } = this.#context;
    const at = playback.schedule.sentSamples;
    const scaled = volume.push(run.gain.push(samples));
    const dryMs = playback.transmit(scaled);
    const atSample = run.sentSamples;
    run.sent(samples.length, at);
    this.#history.add(run, samples);
    if (run.speech.recorded) run.speech.tell('sent', { samples: scaled, atSample });
    return dryMs;
  }

  /** Schedules the next attempt when there is nothing to send. */
  #wait(pace: Pace): void {
    const run = this.#run;
    const { playback, wheel } = this.#context;
    const { nowMs, schedule } = pace;
    if (!run || this.#held || playback.frozen) return;
    this.#short = true;
    if (schedule.running && !run.feed.exhausted) this.#starved = true;
    const dueMs = run.feed.dueMs(pace);
    if (dueMs !== undefined) return this.#wakeAt(Math.max(dueMs, nowMs + wheel.slotMs));
    if (!schedule.running || !playback.segmentOpen) return;
    // A joining speech has until just before the agent runs dry. Otherwise the sound is late, and the next
    // event is the time to close the segment.
    const afterDryMs = run.feed.exhausted ? -2 * wheel.slotMs : CLOSE_AFTER_DRY_MS;
    this.#wakeAt(Math.max(schedule.timeOf(schedule.sentSamples) + afterDryMs, nowMs + wheel.slotMs));
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
    const { schedule } = this.#context.playback;
    const dryMs = schedule.dryMs(nowMs);
    if (dryMs < CLOSE_AFTER_DRY_MS) return;
    // Padding starts a new anchor, so the dry time before it must be kept.
    if (this.endSegment(run) > 0) this.#dryBeforeMs = dryMs;
    if (run.feed.pauses) return;
    const { speech } = run;
    speech.tell('warning', `${speech.label} has paused: nothing came for ${Math.round(dryMs)} ms.`);
  }
}

/**
 * Samples sent last. When an agent is lost, the samples it had not played can be sent again. Bounded: older
 * samples have been heard and are discarded.
 */
class SentHistory {
  #pieces: { run: ActiveSpeech; samples: Int16Array }[] = [];
  #total = 0;

  add(run: ActiveSpeech, samples: Int16Array): void {
    if (run.speech.options.onAgentLost !== 'resume') return;
    this.#pieces.push({ run, samples });
    this.#total += samples.length;
    while (this.#total - this.#pieces[0]!.samples.length >= MAX_HISTORY_SAMPLES) {
      this.#total -= this.#pieces.shift()!.samples.length;
    }
  }

  /** Returns the last `count` samples of `run`, or as many as are kept. */
  last(run: ActiveSpeech, count: number): Int16Array {
    const mine = this.#pieces.filter((piece) => piece.run === run);
    const kept = mine.reduce((sum, piece) => sum + piece.samples.length, 0);
    const joined = new Int16Array(kept);
    let at = 0;
    for (const { samples } of mine) {
      joined.set(samples, at);
      at += samples.length;
    }
    return joined.subarray(Math.max(0, kept - count));
  }

  clear(): void {
    this.#pieces = [];
    this.#total = 0;
  }
}

/** Returns a copy of `samples` that fades in or out along half a cosine, which avoids a click. */
function faded(samples: Int16Array, way: 'in' | 'out'): Int16Array {
  const sign = way === 'in' ? -1 : 1;
  return samples.map((sample, i) =>
    Math.round(sample * 0.5 * (1 + sign * Math.cos((Math.PI * (i + 1)) / samples.length))),
  );
}

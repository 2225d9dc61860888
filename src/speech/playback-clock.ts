import { paddingSamples, START_LATENCY_MS, TAIL_MS } from '../base/avatar.js';
import type { Clock } from '../base/clock.js';
import { msToSamples, samplesToMs } from '../base/units.js';
import { Schedule } from './schedule.js';
import type { FrameSink } from './sink.js';
import type { TimerWheel } from './timer-wheel.js';

/**
 * Sends samples to the agent, tracks the schedule of played samples, and tracks the open segment. Every
 * sample is sent through `transmit`.
 */
export class PlaybackClock {
  readonly #sink: FrameSink;
  readonly #wheel: TimerWheel;
  readonly #clock: Clock;
  #schedule = new Schedule();
  /** Schedule position at which the open segment begins. */
  #segmentStart = 0;
  #sinkBase = 0;
  #sentAtMs = -Infinity;
  #frozen = false;
  /**
   * Samples the agent had read when it was found to have stopped reading: the only position known to be
   * played.
   */
  #readAtFreeze: number | undefined;

  constructor(sink: FrameSink, wheel: TimerWheel, clock: Clock) {
    this.#sink = sink;
    this.#wheel = wheel;
    this.#clock = clock;
  }

  get schedule(): Schedule {
    return this.#schedule;
  }

  /**
   * True while the agent is known to have stopped reading: nothing is sent, and the position stands still.
   */
  get frozen(): boolean {
    return this.#frozen;
  }

  /** True when samples were sent since the last segment end. */
  get segmentOpen(): boolean {
    return this.#schedule.sentSamples > this.#segmentStart;
  }

  /** Samples missing to a whole block, 0 to 255. */
  get samplesToBlock(): number {
    return paddingSamples(this.#schedule.sentSamples - this.#segmentStart);
  }

  /** Time of the last sending, in monotonic ms. */
  get sentAtMs(): number {
    return this.#sentAtMs;
  }

  /** Sound the agent holds unplayed now, in ms. */
  get heldMs(): number {
    return samplesToMs(this.#schedule.heldSamples(this.#clock.nowMs()));
  }

  /** Starts a new schedule, for the first speech after a silence or for a new connection. */
  reset(): void {
    this.#schedule = new Schedule();
    this.#segmentStart = this.#takeOver();
    this.#sinkBase = this.#sink.sentSamples - this.#segmentStart;
    this.#frozen = this.#sink.stalled;
  }

  /**
   * Adds sound that another process sent to the agent to the schedule. @returns the number of samples, in
   * whole slots of the wheel
   */
  #takeOver(): number {
    const nowMs = this.#clock.nowMs();
    const { slotMs } = this.#wheel;
    const slots = Math.ceil((this.#sink.playsUntilMs - nowMs) / slotMs);
    if (!(slots > 0)) return 0;
    const samples = msToSamples(slots * slotMs);
    this.#schedule.sent(samples, nowMs, this.#wheel.align(nowMs));
    return samples;
  }

  /** Sends up to one frame. @returns the time the agent had been dry before it, in ms */
  transmit(samples: Int16Array): number {
    this.#sink.frame(samples);
    const nowMs = this.#clock.nowMs();
    this.#sentAtMs = nowMs;
    return this.#schedule.sent(samples.length, nowMs, this.#wheel.align(nowMs));
  }

  /**
   * Ends the segment, padded to whole blocks: otherwise its last samples would be lost or would start the
   * next segment (protocol.md §4). Does nothing when no segment is open.
   * @returns the samples of silence that were added
   */
  endSegment(): number {
    if (!this.segmentOpen) return 0;
    const padding = this.samplesToBlock;
    if (padding > 0) this.transmit(new Int16Array(padding));
    this.#sink.endSegment();
    this.#segmentStart = this.#schedule.sentSamples;
    return padding;
  }

  /**
   * Returns the samples heard at the agent's loudspeaker. While the agent does not read, at most those it has
   * read.
   */
  heardSamples(nowMs: number): number {
    const heard = this.#schedule.playedSamples(nowMs - START_LATENCY_MS);
    return this.#frozen && this.#readAtFreeze !== undefined ? Math.min(heard, this.#readAtFreeze) : heard;
  }

  /** Returns the time at which the sample at `position` is heard. */
  heardAtMs(position: number): number {
    return this.#schedule.timeOf(position) + START_LATENCY_MS;
  }

  /** Returns the time at which everything up to `position` has been heard, tail included. */
  silentAtMs(position: number): number {
    return this.#schedule.timeOf(position) + TAIL_MS;
  }

  /**
   * Checks again whether the agent reads. When it reads again, it had run dry: the samples it had not read
   * are still ahead of it, and the schedule continues from there.
   * @returns undefined unless it reads again; otherwise the position at which it continues and the time it
   * had nothing to play, in ms
   */
  readingChanged(nowMs: number): { readonly atSample: number; readonly silentMs: number } | undefined {
    if (this.#sink.stalled) {
      if (!this.#frozen) this.#readAtFreeze = this.#readSamples;
      this.#frozen = true;
      return undefined;
    }
    if (!this.#frozen) return undefined;
    this.#frozen = false;
    const played = this.#schedule.playedSamples(nowMs);
    if (this.#readAtFreeze === undefined || !this.#schedule.running) return { atSample: played, silentMs: 0 };
    const atSample = Math.min(played, this.#readAtFreeze);
    const silentMs = Math.max(0, nowMs - this.#schedule.timeOf(atSample));
    this.#schedule.correct(atSample, nowMs);
    return { atSample, silentMs };
  }

  /** True when the agent has confirmed that it read everything up to `position`. */
  hasRead(position: number): boolean {
    return (this.#readSamples ?? -Infinity) >= position;
  }

  get #readSamples(): number | undefined {
    const read = this.#sink.readSamples;
    return read === undefined ? undefined : Math.max(0, read - this.#sinkBase);
  }
}

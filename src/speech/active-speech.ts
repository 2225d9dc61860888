import type { ByteBudget } from '../base/byte-budget.js';
import { BridgeError } from '../base/errors.js';
import { samplesToMs } from '../base/units.js';
import { Gain } from '../audio/gain.js';
import { CueList } from './cues.js';
import type { Feed } from './feed.js';
import type { GapCause, GapCount, Speech, SpeechEnd, SpeechEndKind } from './speech.js';

/** Silence that the player added to the agent's stream and that is not part of the sound. */
interface Insertion {
  /** Position in the sound, in samples. */
  readonly atSample: number;
  readonly samples: number;
}

/** End of a speech: its kind, the error unless it completed, and the part that was heard, in ms. */
export interface Ending {
  readonly how: SpeechEndKind;
  readonly error: BridgeError | undefined;
  readonly heardMs: number;
}

/**
 * Maximum number of separate insertions. Beyond it the oldest are merged: only those not yet heard must stay
 * apart.
 */
const MAX_INSERTIONS = 64;

/**
 * State of one speech in the player: the samples sent, and their positions in the schedule. It maps between
 * two scales: samples of the sound (used by callers) and samples of the schedule (played by the agent).
 */
export class ActiveSpeech {
  readonly speech: Speech;
  readonly feed: Feed;
  readonly cues: CueList;
  readonly gain: Gain;
  /** Aborts the preparation. */
  readonly preparing = new AbortController();
  /** True when it may begin while an earlier speech still drains, because it interrupted that speech. */
  immediate = false;
  /** End that it will have once the sent samples have been heard. */
  outcome: { how: SpeechEndKind; error: BridgeError | undefined } | undefined;
  /** Memory taken from the budget, without the cues, in bytes. */
  heldBytes = 0;
  cuesSent = 0;
  cuesDropped = 0;
  /** True when the next samples must fade in, because they follow a pause or a cut. */
  fadeInNext = false;
  #gaps: GapCount = { count: 0, totalMs: 0, bySource: 0, byStall: 0, byAgent: 0 };
  /** True when part of it was sent to an agent that was lost. */
  #resumed = false;
  #baseSample = 0;
  #startSample: number | undefined;
  #sentSamples = 0;
  #insertions: Insertion[] = [];

  /** @param budget memory budget for the cues */
  constructor(speech: Speech, feed: Feed, budget: ByteBudget) {
    this.cues = new CueList(budget);
    this.speech = speech;
    this.feed = feed;
    this.gain = new Gain({ gainDb: speech.options.gainDb ?? 0 });
  }

  /** True once the first frame has been sent. */
  get begun(): boolean {
    return this.#startSample !== undefined;
  }

  /** Samples of the sound that were sent. */
  get sentSamples(): number {
    return this.#sentSamples;
  }

  /** Schedule position after the last sample sent. */
  get endSample(): number {
    return this.toSchedule(this.#sentSamples);
  }

  /** Records samples of the sound that were sent when the schedule was at `scheduleSample`. */
  sent(samples: number, scheduleSample: number): void {
    if (this.#startSample === undefined) this.#startSample = scheduleSample;
    this.#sentSamples += samples;
  }

  /** Records silence sent within the sound. */
  inserted(samples: number): void {
    if (samples === 0 || this.#startSample === undefined) return;
    this.#insertions.push({ atSample: this.#sentSamples, samples });
    if (this.#insertions.length > MAX_INSERTIONS) {
      const [first, second] = this.#insertions.splice(0, 2);
      this.#insertions.unshift({ atSample: first!.atSample, samples: first!.samples + second!.samples });
    }
  }

  /** Records an unintended silence. */
  gap(lengthMs: number, cause: GapCause): void {
    const { count, totalMs, bySource, byStall, byAgent } = this.#gaps;
    this.#gaps = {
      count: count + 1,
      totalMs: totalMs + lengthMs,
      bySource: bySource + Number(cause === 'source'),
      byStall: byStall + Number(cause === 'stall'),
      byAgent: byAgent + Number(cause === 'agent'),
    };
  }

  /** Converts a sample of the sound to its schedule position. */
  toSchedule(sample: number): number {
    let at = (this.#startSample ?? 0) + sample - this.#baseSample;
    for (const insertion of this.#insertions) {
      if (insertion.atSample > sample || (insertion.atSample === sample && sample === this.#sentSamples))
        break;
      at += insertion.samples;
    }
    return at;
  }

  /** Returns the samples of the sound that have been played when the schedule has played `scheduleSample`. */
  fromSchedule(scheduleSample: number): number {
    if (this.#startSample === undefined) return this.#baseSample;
    let sample = scheduleSample - this.#startSample + this.#baseSample;
    for (const insertion of this.#insertions) {
      if (sample <= insertion.atSample) break;
      sample = Math.max(insertion.atSample, sample - insertion.samples);
    }
    return Math.min(this.#sentSamples, Math.max(this.#baseSample, sample));
  }

  /**
   * Resets the sent state after the agent was lost: samples that were not heard will be sent again.
   * @param heardSample samples of the sound that were heard
   * @param unheard the samples from there to the last one sent
   */
  rewind(heardSample: number, unheard: Int16Array): void {
    this.feed.unread(unheard);
    this.#sentSamples = heardSample;
    this.#baseSample = heardSample;
    this.#startSample = undefined;
    this.#insertions = [];
    this.outcome = undefined;
    this.fadeInNext = heardSample > 0;
    this.#resumed ||= heardSample > 0;
  }

  /** Returns the part of the sound that has been played, in ms. */
  heardMs(scheduleSample: number): number {
    return samplesToMs(this.fromSchedule(scheduleSample));
  }

  /**
   * Returns the final report of the speech.
   * @param heard certainty that the agent played what it was sent
   */
  endOf({ how, error, heardMs }: Ending, heard: 'confirmed' | 'assumed'): SpeechEnd {
    const { feed, cuesSent, cuesDropped } = this;
    return {
      how,
      heardMs,
      heard: this.#resumed ? 'assumed' : heard,
      durationMs: feed.durationMs,
      gaps: this.#gaps,
      droppedMs: samplesToMs(feed.droppedSamples),
      latency: feed.totalLatency,
      cuesSent,
      cuesDropped,
      error,
    };
  }

  /** Returns the error of a speech that was stopped or interrupted. */
  stoppedError(): BridgeError {
    return new BridgeError('SPEECH_STOPPED', `The speech of ${this.speech.label} was stopped.`);
  }

  /** Returns the error of a sound that ended without a sample. */
  emptyError(): BridgeError {
    return new BridgeError('SOUND_EMPTY', `${this.speech.label} holds no sound.`);
  }
}

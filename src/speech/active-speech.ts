import type { ByteBudget } from '../base/byte-budget.js';
import { BridgeError } from '../base/errors.js';
import { samplesToMs } from '../base/units.js';
import { Gain } from '../audio/gain.js';
import { CueList } from './cues.js';
import type { Feed } from './feed.js';
import type { GapCause, GapCount, Speech, SpeechEnd, SpeechEndKind } from './speech.js';

/** Silence that the player put into the agent's stream and that is no part of the sound. */
interface Insertion {
  /** Where in the sound it lies, in samples. */
  readonly atSample: number;
  readonly samples: number;
}

/** How a speech ends: its kind, why unless it completed, and how much of it was heard, in ms. */
export interface Ending {
  readonly how: SpeechEndKind;
  readonly error: BridgeError | undefined;
  readonly heardMs: number;
}

/** More pauses than this and the oldest are merged: only what is not yet heard needs them apart. */
const MAX_INSERTIONS = 64;

/**
 * One speech on its way through the player: what has been sent of it, and where its samples lie in the schedule.
 * Two scales meet here: samples of the sound (what callers mean) and samples of the schedule (what the agent plays).
 */
export class ActiveSpeech {
  readonly speech: Speech;
  readonly feed: Feed;
  readonly cues: CueList;
  readonly gain: Gain;
  /** Aborts the wait for the agent. */
  readonly preparing = new AbortController();
  /** May begin while an earlier speech still drains: it interrupted it. */
  immediate = false;
  /** How it will end when what was sent has been heard. */
  outcome: { how: SpeechEndKind; error: BridgeError | undefined } | undefined;
  /** Memory taken for it from the budget, without its cues, in bytes. */
  heldBytes = 0;
  cuesSent = 0;
  cuesDropped = 0;
  /** The next samples rise from silence: they follow a pause or a cut. */
  fadeInNext = false;
  #gaps: GapCount = { count: 0, totalMs: 0, bySource: 0, byStall: 0, byAgent: 0 };
  /** Part of it was sent to an agent that was lost. */
  #resumed = false;
  #baseSample = 0;
  #startSample: number | undefined;
  #sentSamples = 0;
  #insertions: Insertion[] = [];

  /** @param budget what its cues take is taken from it */
  constructor(speech: Speech, feed: Feed, budget: ByteBudget) {
    this.cues = new CueList(budget);
    this.speech = speech;
    this.feed = feed;
    this.gain = new Gain({ gainDb: speech.options.gainDb ?? 0 });
  }

  /** True once its first frame has left. */
  get begun(): boolean {
    return this.#startSample !== undefined;
  }

  /** Samples of the sound that have left. */
  get sentSamples(): number {
    return this.#sentSamples;
  }

  /** Where in the schedule the sample after the last one sent lies. */
  get endSample(): number {
    return this.toSchedule(this.#sentSamples);
  }

  /** Records samples of the sound that left when the schedule stood at `scheduleSample`. */
  sent(samples: number, scheduleSample: number): void {
    if (this.#startSample === undefined) this.#startSample = scheduleSample;
    this.#sentSamples += samples;
  }

  /** Records silence sent in the middle of it. */
  inserted(samples: number): void {
    if (samples === 0 || this.#startSample === undefined) return;
    this.#insertions.push({ atSample: this.#sentSamples, samples });
    if (this.#insertions.length > MAX_INSERTIONS) {
      const [first, second] = this.#insertions.splice(0, 2);
      this.#insertions.unshift({ atSample: first!.atSample, samples: first!.samples + second!.samples });
    }
  }

  /** Records a silence that should not have been. */
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

  /** Where in the schedule a sample of the sound lies. */
  toSchedule(sample: number): number {
    let at = (this.#startSample ?? 0) + sample - this.#baseSample;
    for (const insertion of this.#insertions) {
      if (insertion.atSample > sample || (insertion.atSample === sample && sample === this.#sentSamples))
        break;
      at += insertion.samples;
    }
    return at;
  }

  /** How many samples of the sound have been played when the schedule has played `scheduleSample`. */
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
   * Forgets the agent it was sent to: what was not heard is to be sent again.
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

  /** How much of the sound has been played, in ms. */
  heardMs(scheduleSample: number): number {
    return samplesToMs(this.fromSchedule(scheduleSample));
  }

  /**
   * What is known of it at its end.
   * @param heard how sure it is that the agent has played what it was sent
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

  /** The error of one that was stopped, or interrupted. */
  stoppedError(): BridgeError {
    return new BridgeError('SPEECH_STOPPED', `The speech of ${this.speech.label} was stopped.`);
  }

  /** The error of one whose sound came to its end without a sample. */
  emptyError(): BridgeError {
    return new BridgeError('SOUND_EMPTY', `${this.speech.label} holds no sound.`);
  }
}

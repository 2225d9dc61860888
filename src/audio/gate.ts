import { BridgeError } from '../base/errors.js';
import { msToSamples, SAMPLE_RATE_HZ, samplesToMs } from '../base/units.js';
import { SILENCE_DBFS, toDbfs } from './level.js';

/** Options of a voice gate. The defaults suit a headset or a desk microphone. */
export interface GateOptions {
  /** Sound from before the opening that is also sent, in milliseconds: it holds the first syllable. */
  readonly preRollMs?: number;
  /**
   * Time the gate stays open after the voice has stopped, in milliseconds: it bridges pauses between words.
   */
  readonly hangOverMs?: number;
  /** Level above the room's noise at which the gate opens, in dB. */
  readonly thresholdDb?: number;
  /** Minimum level that opens the gate, however quiet the room, in dBFS. */
  readonly minLevelDbfs?: number;
}

/** Output of a gate, in order. */
export type GateEvent =
  | {
      readonly type: 'open';
      /** Position of the first sent sample in the input. */ readonly atSample: number;
    }
  | { readonly type: 'audio'; readonly samples: Int16Array }
  | {
      readonly type: 'close';
      /** Position of the first sample held back in the input. */ readonly atSample: number;
    };

/** Maximum pre-roll: it delays the sound while the gate is open. */
export const MAX_PRE_ROLL_MS = 2_000;
/** Maximum hang-over. */
export const MAX_HANG_OVER_MS = 60_000;
const PRE_ROLL_MS = 200;
const HANG_OVER_MS = 700;

/**
 * Window of the energy, in samples: 10 ms holds two pitch periods of a low voice and is far shorter than a
 * syllable.
 */
const WINDOW_SAMPLES = msToSamples(10);
/**
 * Number of the last five windows that must be loud to open the gate: a voice passes, a click of 20 ms does
 * not.
 */
const LOUD_WINDOWS = 3;
const RECENT_WINDOWS = 5;
/**
 * Parts of the 4 s in which the quietest moment is the floor: speech has pauses within that time, a fan does
 * not.
 */
const FLOOR_PARTS = 8;
const FLOOR_PART_WINDOWS = 50;
/** Assumed floor until it is known: a quiet room, because opening too easily at first loses nothing. */
const INITIAL_FLOOR_DBFS = -65;
/** Level below the opening threshold, in dB, down to which an open gate counts a window as voice. */
const HYSTERESIS_DB = 3;

/**
 * Lets sound pass only during speech: opens on energy above the room's noise, which it tracks, and closes
 * when the voice has been absent for the hang-over. Sound passes unchanged; every stretch begins with the
 * pre-roll. Takes 16 kHz mono in any chunking.
 */
export class VoiceGate {
  readonly #preRollSamples: number;
  readonly #hangOverWindows: number;
  readonly #thresholdDb: number;
  readonly #minLevelDbfs: number;
  readonly #detector = new EnergyDetector();
  readonly #floor = new NoiseFloor();
  /** Sound held back while closed, oldest first: at most the pre-roll and one window. */
  #held: Int16Array[] = [];
  #heldSamples = 0;
  #seenSamples = 0;
  #recentLoud = 0;
  #quietWindows = 0;
  #window = new Int16Array(WINDOW_SAMPLES);
  #windowFill = 0;
  #open = false;

  /** @throws BridgeError OPTION_INVALID when the pre-roll or the hang-over is out of range */
  constructor(options: GateOptions = {}) {
    const { preRollMs = PRE_ROLL_MS, hangOverMs = HANG_OVER_MS } = options;
    checkRange('preRollMs', preRollMs, MAX_PRE_ROLL_MS);
    checkRange('hangOverMs', hangOverMs, MAX_HANG_OVER_MS);
    this.#preRollSamples = msToSamples(preRollMs);
    this.#hangOverWindows = Math.max(1, Math.round(hangOverMs / 10));
    this.#thresholdDb = options.thresholdDb ?? 10;
    this.#minLevelDbfs = options.minLevelDbfs ?? -50;
  }

  /** Maximum output of one call, in ms: the held sound and the windows that opened the gate. */
  get burstMs(): number {
    return samplesToMs(this.#preRollSamples + (RECENT_WINDOWS + 1) * WINDOW_SAMPLES);
  }

  /** True while it lets sound through. */
  get open(): boolean {
    return this.#open;
  }

  /** Estimated noise of the room, in dBFS. */
  get floorDbfs(): number {
    return this.#floor.dbfs;
  }

  /**
   * Takes the next samples. Output is delayed by at most one window (10 ms), and by the pre-roll when the
   * gate opens.
   */
  push(samples: Int16Array): GateEvent[] {
    const events: GateEvent[] = [];
    for (let at = 0; at < samples.length;) {
      const part = samples.subarray(at, at + WINDOW_SAMPLES - this.#windowFill);
      this.#window.set(part, this.#windowFill);
      this.#windowFill += part.length;
      at += part.length;
      if (this.#windowFill === WINDOW_SAMPLES) {
        this.#judge(this.#window, events);
        this.#window = new Int16Array(WINDOW_SAMPLES);
        this.#windowFill = 0;
      }
    }
    return events;
  }

  /** Ends the input: an open gate returns its remaining sound and closes. */
  end(): GateEvent[] {
    if (!this.#open) return [];
    const rest = this.#window.subarray(0, this.#windowFill);
    this.#seenSamples += rest.length;
    this.#windowFill = 0;
    this.#open = false;
    const events: GateEvent[] = rest.length > 0 ? [{ type: 'audio', samples: rest }] : [];
    events.push({ type: 'close', atSample: this.#seenSamples });
    return events;
  }

  #judge(window: Int16Array, events: GateEvent[]): void {
    const dbfs = this.#detector.measure(window);
    this.#floor.learn(dbfs);
    const threshold = Math.max(this.#floor.dbfs + this.#thresholdDb, this.#minLevelDbfs);
    this.#seenSamples += window.length;
    if (this.#open) {
      events.push({ type: 'audio', samples: window });
      this.#quietWindows = dbfs >= threshold - HYSTERESIS_DB ? 0 : this.#quietWindows + 1;
      if (this.#quietWindows >= this.#hangOverWindows) this.#close(events);
      return;
    }
    this.#hold(window);
    // The newest window is the lowest bit; the oldest is shifted out at the top.
    this.#recentLoud = ((this.#recentLoud << 1) | (dbfs >= threshold ? 1 : 0)) & ((1 << RECENT_WINDOWS) - 1);
    if (countBits(this.#recentLoud) >= LOUD_WINDOWS) this.#release(events);
  }

  #release(events: GateEvent[]): void {
    this.#open = true;
    this.#quietWindows = this.#recentLoud = 0;
    events.push({ type: 'open', atSample: this.#seenSamples - this.#heldSamples });
    for (const samples of this.#held) events.push({ type: 'audio', samples });
    this.#held = [];
    this.#heldSamples = 0;
  }

  #close(events: GateEvent[]): void {
    this.#open = false;
    events.push({ type: 'close', atSample: this.#seenSamples });
  }

  #hold(window: Int16Array): void {
    this.#held.push(window);
    this.#heldSamples += window.length;
    // The windows that open the gate belong to the voice; the pre-roll is the sound before them.
    const most = this.#preRollSamples + RECENT_WINDOWS * WINDOW_SAMPLES;
    while (this.#heldSamples > most) this.#heldSamples -= this.#held.shift()!.length;
  }
}

/**
 * Measures the energy of a window without frequencies below a voice: a microphone's constant offset and mains
 * hum.
 */
class EnergyDetector {
  /** One pole at 100 Hz. */
  readonly #pole = Math.exp((-2 * Math.PI * 100) / SAMPLE_RATE_HZ);
  #lastIn: number | undefined;
  #lastOut = 0;

  measure(window: Int16Array): number {
    let sumOfSquares = 0;
    for (const sample of window) {
      // The first sample has no predecessor and is compared with itself: an offset must not cause a step.
      this.#lastOut = this.#pole * (this.#lastOut + sample - (this.#lastIn ?? sample));
      this.#lastIn = sample;
      sumOfSquares += this.#lastOut * this.#lastOut;
    }
    return toDbfs(Math.sqrt(sumOfSquares / window.length));
  }
}

/** Tracks the room's noise: the quietest smoothed moment of the last seconds. */
class NoiseFloor {
  readonly #parts: number[] = new Array<number>(FLOOR_PARTS).fill(INITIAL_FLOOR_DBFS);
  #smoothed: number | undefined;
  #current = Infinity;
  #windows = 0;

  get dbfs(): number {
    return Math.min(this.#current, ...this.#parts);
  }

  learn(dbfs: number): void {
    // Unsmoothed, the minimum would be a window in which the noise happens to cancel out.
    this.#smoothed = this.#smoothed === undefined ? dbfs : this.#smoothed + (dbfs - this.#smoothed) * 0.2;
    // Digital silence (a muted microphone, a monitor without sound) is not room noise: it would make any hiss
    // a voice.
    if (this.#smoothed > SILENCE_DBFS + 10) this.#current = Math.min(this.#current, this.#smoothed);
    if (++this.#windows < FLOOR_PART_WINDOWS) return;
    this.#parts.shift();
    this.#parts.push(this.#current === Infinity ? INITIAL_FLOOR_DBFS : this.#current);
    this.#current = Infinity;
    this.#windows = 0;
  }
}

function checkRange(name: string, ms: number, maxMs: number): void {
  if (!(ms >= 0 && ms <= maxMs))
    throw new BridgeError('OPTION_INVALID', `The gate's ${name} cannot be ${ms}: it takes 0 to ${maxMs} ms.`);
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}

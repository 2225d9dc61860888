import { loadSpeex } from './resample.js';
import { FineResampler } from './fine-resampler.js';

/** Options of drift correction. */
export interface DriftOptions {
  /**
   * Target fill, in milliseconds: the average amount of sound between the source and the ear. Read at each
   * use, because it may change.
   */
  readonly targetFillMs: number;
  /** Maximum change of speed, in millionths; 5,000 is 9 cents of pitch, inaudible in speech. */
  readonly maxPpm?: number;
}

/**
 * Smoothing time of the fill, in ms: single readings vary by a capture period and by the jitter of the
 * system.
 */
const SMOOTHING_MS = 5_000;
/**
 * Time without a reading, in ms, after which the sound was interrupted (a gate) and the smoothed fill is
 * discarded.
 */
const FORGET_AFTER_MS = 1_000;
/**
 * Time constant of the loop. With fill' = drift - correction it is a second-order system; the two gains below
 * make it critically damped. At 40 s it is several times slower than the smoothing, so that it cannot
 * oscillate.
 */
const TIME_CONSTANT_S = 40;
/** Proportional gain: 2 / T, in millionths per millisecond of error. */
const PROPORTIONAL_PPM = 2_000 / TIME_CONSTANT_S;
/** Integral gain: 1 / T², in millionths per millisecond and second. It learns the true error of the clock. */
const INTEGRAL_PPM = 1_000 / TIME_CONSTANT_S ** 2;
/** Maximum clock error that is learnt, in millionths; real clocks are more accurate. */
const MAX_LEARNT_PPM = 1_000;
/**
 * Maximum error of the fill at which the loop learns, in ms. A larger error comes from a stall or a gate's
 * pre-roll, not from the clock: the proportional part holds 1,000 ppm off at 20 ms.
 */
const LEARN_WITHIN_MS = 30;

/**
 * Calculates the change of speed that keeps the fill of a live sound at its target: a proportional-integral
 * loop on the smoothed fill. Pure; the time is an argument.
 */
export class DriftControl {
  readonly #options: DriftOptions;
  readonly #maxPpm: number;
  #smoothedMs = 0;
  #learntPpm = 0;
  #ppm = 0;
  #lastMs: number | undefined;

  constructor(options: DriftOptions) {
    this.#options = options;
    this.#maxPpm = options.maxPpm ?? 5_000;
  }

  /** Correction to apply, in millionths: above 0 the source is fast or too much is buffered. */
  get ppm(): number {
    return this.#ppm;
  }

  /** Learnt error of the source's clock, in millionths. */
  get learntPpm(): number {
    return this.#learntPpm;
  }

  /** Smoothed fill, in milliseconds. */
  get smoothedFillMs(): number {
    return this.#smoothedMs;
  }

  /**
   * Records a reading.
   * @param fillMs sound received and not yet heard, in milliseconds
   * @param nowMs monotonic milliseconds
   */
  observe(fillMs: number, nowMs: number): void {
    const sinceMs = this.#lastMs === undefined ? Infinity : nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (sinceMs > FORGET_AFTER_MS) {
      this.#smoothedMs = fillMs;
      return;
    }
    this.#smoothedMs += (fillMs - this.#smoothedMs) * (1 - Math.exp(-sinceMs / SMOOTHING_MS));
    const errorMs = this.#smoothedMs - this.#options.targetFillMs;
    this.#ppm = clamp(PROPORTIONAL_PPM * errorMs + this.#learntPpm, this.#maxPpm);
    if (Math.abs(errorMs) <= LEARN_WITHIN_MS)
      this.#learntPpm = clamp(
        this.#learntPpm + (INTEGRAL_PPM * errorMs * sinceMs) / 1000,
        Math.min(MAX_LEARNT_PPM, this.#maxPpm),
      );
  }

  /** Resets the fill but keeps the learnt clock error, after sound was dropped or interrupted. */
  restart(): void {
    this.#lastMs = undefined;
    this.#ppm = this.#learntPpm;
  }
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

/** Interval of changes of the ratio, in ms: a finer step would be below the resolution of one reading. */
const SET_EVERY_MS = 500;

/**
 * Adapts live 16 kHz mono sound to the bridge's clock. Given the sound and the readings of the fill, it keeps
 * a microphone with a slightly fast or slow clock from filling or emptying the buffer over hours.
 */
export class DriftCorrector {
  readonly #control: DriftControl;
  readonly #resampler: FineResampler;
  #setAtMs = -Infinity;

  /** Use `createDriftCorrector`. */
  constructor(control: DriftControl, resampler: FineResampler) {
    this.#control = control;
    this.#resampler = resampler;
  }

  /** Current correction, in millionths; above 0 the sound is shortened. */
  get ppm(): number {
    return this.#resampler.ppm;
  }

  /** Learnt error of the source's clock, in millionths; above 0 it is fast. */
  get learntPpm(): number {
    return this.#control.learntPpm;
  }

  /**
   * Records a reading of the fill; see DriftControl.
   * @param fillMs sound received and not yet heard, in milliseconds
   * @param nowMs monotonic milliseconds
   */
  observe(fillMs: number, nowMs: number): void {
    this.#control.observe(fillMs, nowMs);
    if (nowMs - this.#setAtMs < SET_EVERY_MS) return;
    this.#setAtMs = nowMs;
    this.#resampler.setPpm(this.#control.ppm);
  }

  /** @returns the samples on the bridge's clock; 4 ms stay in the filter */
  push(samples: Int16Array): Int16Array {
    return this.#resampler.push(samples);
  }

  /** Resets the fill but keeps the learnt clock error, after sound was dropped or interrupted. */
  restart(): void {
    this.#control.restart();
    this.#resampler.setPpm(this.#control.ppm);
  }

  /** Frees memory outside the JavaScript heap; safe to call again. */
  close(): void {
    this.#resampler.free();
  }
}

/**
 * Creates a corrector for one live sound. It must be closed.
 * @throws BridgeError INTERNAL when the resampler cannot be loaded
 */
export async function createDriftCorrector(options: DriftOptions): Promise<DriftCorrector> {
  return new DriftCorrector(new DriftControl(options), new FineResampler(await loadSpeex()));
}

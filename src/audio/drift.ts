import { loadSpeex } from './resample.js';
import { FineResampler } from './fine-resampler.js';

/** How drift is corrected. */
export interface DriftOptions {
  /**
   * The fill to hold, in milliseconds: how much sound lies between the source and the ear on average. Read anew each time:
   * it may change.
   */
  readonly targetFillMs: number;
  /** The most by which the sound is stretched or squeezed, in millionths; 5,000 is 9 cents of pitch, unheard in speech. */
  readonly maxPpm?: number;
}

/** How fast a reading of the fill is believed: single readings jump by a capture period and by the system's jitter. */
const SMOOTHING_MS = 5_000;
/** Without a reading for so long the sound was interrupted (a gate): the old smoothed fill says nothing any more. */
const FORGET_AFTER_MS = 1_000;
/**
 * The loop's pace. With fill' = drift - correction it is a second-order system; these two make it critically damped
 * with a time constant of 40 s: ten times slower than the smoothing, so that it cannot swing.
 */
const TIME_CONSTANT_S = 40;
/** Correction for each millisecond of error: 2 / T, in millionths per millisecond. */
const PROPORTIONAL_PPM = 2_000 / TIME_CONSTANT_S;
/** The same for each millisecond and second: 1 / T². This is what learns the clock's true error. */
const INTEGRAL_PPM = 1_000 / TIME_CONSTANT_S ** 2;
/** No real clock is further off than this. */
const MAX_LEARNT_PPM = 1_000;
/**
 * Further from the target than this it is not the clock that is to blame but a stall, or the pre-roll of a gate, and
 * nothing is learnt. The clock alone never gets there: 1,000 ppm are held off by the proportional part at 20 ms.
 */
const LEARN_WITHIN_MS = 30;

/**
 * Decides by how much live sound must be squeezed so that the fill stays at its target: a proportional-integral loop
 * on the smoothed fill. Pure; the time is an argument.
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

  /** The correction to apply, in millionths: above 0 the source runs fast or too much is buffered. */
  get ppm(): number {
    return this.#ppm;
  }

  /** The source's clock against ours as far as it is known, in millionths. */
  get learntPpm(): number {
    return this.#learntPpm;
  }

  /** The fill without its jitter, in milliseconds. */
  get smoothedFillMs(): number {
    return this.#smoothedMs;
  }

  /**
   * Takes a reading.
   * @param fillMs sound taken in and not yet heard, in milliseconds
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

  /** Forgets the fill but not the clock: for after sound was dropped or interrupted. */
  restart(): void {
    this.#lastMs = undefined;
    this.#ppm = this.#learntPpm;
  }
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

/** The ratio is set at most so often: a finer step would be below what one reading can tell. */
const SET_EVERY_MS = 500;

/**
 * Live 16 kHz mono sound on the bridge's own clock: feed it what comes in, tell it how much is buffered, and hours of
 * a microphone whose clock is a little fast or slow neither pile up nor starve.
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

  /** The correction in force, in millionths; above 0 the sound is being squeezed. */
  get ppm(): number {
    return this.#resampler.ppm;
  }

  /** What it has learnt of the source's clock, in millionths; above 0 it runs fast. */
  get learntPpm(): number {
    return this.#control.learntPpm;
  }

  /**
   * Takes a reading of the fill; see DriftControl.
   * @param fillMs sound taken in and not yet heard, in milliseconds
   * @param nowMs monotonic milliseconds
   */
  observe(fillMs: number, nowMs: number): void {
    this.#control.observe(fillMs, nowMs);
    if (nowMs - this.#setAtMs < SET_EVERY_MS) return;
    this.#setAtMs = nowMs;
    this.#resampler.setPpm(this.#control.ppm);
  }

  /** @returns the samples on the bridge's clock; 4 ms stay behind in the filter */
  push(samples: Int16Array): Int16Array {
    return this.#resampler.push(samples);
  }

  /** Forgets the fill but not the clock: for after sound was dropped or interrupted. */
  restart(): void {
    this.#control.restart();
    this.#resampler.setPpm(this.#control.ppm);
  }

  /** Frees what it holds outside JavaScript's memory; safe to call again. */
  close(): void {
    this.#resampler.free();
  }
}

/**
 * A corrector for one live sound. Close it.
 * @throws BridgeError INTERNAL when the resampler cannot be loaded
 */
export async function createDriftCorrector(options: DriftOptions): Promise<DriftCorrector> {
  return new DriftCorrector(new DriftControl(options), new FineResampler(await loadSpeex()));
}

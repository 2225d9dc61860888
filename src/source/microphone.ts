import { Gain } from '../audio/gain.js';
import { LevelMeter, type Level } from '../audio/level.js';
import type { PcmBlock, Sound, SoundContext } from '../audio/pcm.js';
import { systemClock, type Clock } from '../base/clock.js';
import { BridgeError, toBridgeError } from '../base/errors.js';
import { Capture } from './capture.js';
import { RECORDER_NAMES, type Recorder, type RecorderName } from './recorders/recorder.js';
import { RECORDERS, recordersFor } from './recorders/table.js';

/** Microphone options. */
export interface MicrophoneOptions {
  /** Recorder to use; `auto` takes the first that delivers sound. */
  readonly recorder?: RecorderName | 'auto';
  /** Device by the recorder's own name; default: the system's default device. */
  readonly device?: string;
  /** Gain, in decibels. */
  readonly gainDb?: number;
  readonly sampleRateHz?: number;
  /** Length of a piece of sound, in milliseconds: the delay of the capture. */
  readonly periodMs?: number;
  /** Maximum sound in the queue, in milliseconds; older sound is dropped. */
  readonly maxQueuedMs?: number;
  /** Time without data after which the recorder counts as hung, in milliseconds. */
  readonly noDataMs?: number;
  /** Called with the level of the last 100 ms, after the gain, for a meter. */
  readonly onLevel?: (level: Level) => void;
  readonly clock?: Clock;
}

/** A microphone as a sound, with its state. */
export interface MicrophoneSound extends Sound {
  readonly live: true;
  /** Recorder in use, once it delivers sound. */
  readonly recorder: RecorderName | undefined;
  /** Sound dropped because it was not taken in time, in milliseconds. */
  readonly droppedMs: number;
}

/** Interval of the level meter, in ms: fast enough for the eye, slow enough for a terminal. */
const LEVEL_EVERY_MS = 100;

/**
 * Makes a sound of a microphone, recorded by an installed program.
 * @throws BridgeError OPTION_INVALID for an unknown recorder. While it is open: RECORDER_MISSING when the
 * program (with `auto`: every one) is not installed; RECORDER_FAILED when it ends, hangs or cannot open the
 * device. With `auto` the next recorder is tried until one delivers sound.
 */
export function microphoneSound(options: MicrophoneOptions = {}): MicrophoneSound {
  const { recorder = 'auto' } = options;
  // Values from the API or a command line are not checked by the type.
  if (recorder !== 'auto' && !RECORDER_NAMES.includes(recorder))
    throw new BridgeError(
      'OPTION_INVALID',
      `There is no recorder '${recorder as string}'. It is auto or one of ${RECORDER_NAMES.join(', ')}.`,
    );
  return new Microphone(recorder === 'auto' ? recordersFor() : [RECORDERS[recorder]], options);
}

class Microphone implements MicrophoneSound {
  readonly label: string;
  readonly live = true;
  recorder: RecorderName | undefined;
  readonly #candidates: readonly Recorder[];
  readonly #options: MicrophoneOptions;
  #capture: Capture | undefined;

  constructor(candidates: readonly Recorder[], options: MicrophoneOptions) {
    this.#candidates = candidates;
    this.#options = options;
    this.label = options.device === undefined ? 'microphone' : `microphone ${options.device}`;
  }

  get droppedMs(): number {
    return this.#capture?.droppedMs ?? 0;
  }

  async *open(context: SoundContext): AsyncGenerator<PcmBlock> {
    const failures: string[] = [];
    this.recorder = undefined;
    for (const recorder of this.#candidates) {
      const path = await recorder.available();
      if (path === undefined) continue;
      try {
        yield* this.#record(recorder, path, context);
      } catch (error) {
        const mayTryNext = this.#candidates.length > 1 && !this.#hasBegun();
        if (context.signal.aborted || !mayTryNext) throw error;
        failures.push(toBridgeError(error, 'RECORDER_FAILED', recorder.name).message);
      }
    }
    if (failures.length === 0) throw this.#missing();
    throw new BridgeError(
      'RECORDER_FAILED',
      `No recorder could open the ${this.label}. ${failures.join(' ')}`,
    );
  }

  #hasBegun(): boolean {
    return this.recorder !== undefined;
  }

  async *#record(recorder: Recorder, path: string, context: SoundContext): AsyncGenerator<PcmBlock> {
    const { sampleRateHz = 48_000, periodMs = 20, gainDb = 0, clock = systemClock } = this.#options;
    context.signal.throwIfAborted();
    const device =
      this.#options.device ??
      (recorder.needsDevice ? await firstDevice(recorder, context.signal) : undefined);
    const capture = new Capture(
      {
        recorder,
        path,
        capture: { sampleRateHz, periodMs, ...(device === undefined ? {} : { device }) },
        maxQueuedMs: this.#options.maxQueuedMs ?? 1_000,
        noDataMs: this.#options.noDataMs ?? 5_000,
        label: this.label,
        clock,
        onFirstSound: () => {
          this.recorder = recorder.name;
          const format = `microphone through ${recorder.name}, 16-bit PCM`;
          context.info({ format, sampleRateHz, channels: 1 });
        },
      },
      context,
    );
    this.#capture = capture;
    const gain = new Gain({ gainDb, sampleRateHz });
    const meter = new LevelMeter();
    let metered = 0;
    try {
      for (;;) {
        const recorded = await capture.next();
        const samples = gain.push(recorded.samples);
        meter.push(samples);
        metered += samples.length;
        if (metered >= (sampleRateHz * LEVEL_EVERY_MS) / 1000) {
          this.#options.onLevel?.(meter.read());
          metered = 0;
        }
        yield { samples, sampleRateHz, channels: 1, capturedAtMs: recorded.capturedAtMs };
      }
    } finally {
      await capture.stop();
    }
  }

  #missing(): BridgeError {
    const names = this.#candidates.map(({ name }) => name);
    const install = this.#candidates.map((recorder) => recorder.install[process.platform]).find(Boolean);
    return new BridgeError(
      'RECORDER_MISSING',
      names.length === 1
        ? `The recorder ${names[0]!} is not installed, or ${this.#candidates[0]?.mayLack ?? 'not on PATH'}.`
        : `No program that can record was found on PATH: ${names.join(', ')}.`,
      install === undefined ? {} : { advice: `Install it, for example with: ${install}` },
    );
  }
}

async function firstDevice(recorder: Recorder, signal: AbortSignal): Promise<string> {
  const [first] = await recorder.listDevices(signal);
  if (first) return first.id;
  throw new BridgeError('RECORDER_FAILED', `${recorder.name} finds no microphone on this machine.`);
}

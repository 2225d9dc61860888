import { CaptureClock } from '../audio/capture-clock.js';
import { LiveQueue } from '../audio/live-queue.js';
import { SampleReader } from '../audio/samples.js';
import type { SoundContext } from '../audio/pcm.js';
import type { Program } from '../base/child.js';
import type { Clock, Timer } from '../base/clock.js';
import { ThrottledWarnings } from '../base/throttled-warnings.js';
import { BridgeError, toBridgeError } from '../base/errors.js';
import type { CaptureOptions, Recorder } from './recorders/recorder.js';
import { lastLines } from './recorders/run.js';
import { Watchdog } from './watchdog.js';

/** Setup of a recorder run. */
export interface CaptureSetup {
  readonly recorder: Recorder;
  /** Path from `recorder.available()`. */
  readonly path: string;
  readonly capture: CaptureOptions;
  readonly maxQueuedMs: number;
  readonly noDataMs: number;
  /** Name of the microphone in messages. */
  readonly label: string;
  readonly clock: Clock;
  /** Called at the first sound, before it can be taken. */
  onFirstSound(): void;
}

/** Recorded samples. */
export interface Recorded {
  readonly samples: Int16Array;
  /** Capture time of the first sample, in monotonic ms. */
  readonly capturedAtMs: number;
}

/**
 * Delay before a message of the recorder is reported, in ms: Ctrl-C also reaches the recorder, and its last
 * message is then noise.
 */
const FAREWELL_MS = 100;

/** Duration of pure zeros after which the microphone counts as muted, in ms. */
const MUTED_AFTER_MS = 5_000;

/**
 * A running recorder. Its output is read at once, even when nobody takes it: with a full pipe the recorder
 * would lose sound unnoticed, while this queue counts what it drops.
 */
export class Capture {
  readonly #setup: CaptureSetup;
  readonly #context: SoundContext;
  readonly #program: Program;
  readonly #queue: LiveQueue;
  readonly #captured: CaptureClock;
  readonly #throttled: ThrottledWarnings;
  readonly #watchdog: Watchdog;
  readonly #onAbort: () => void;
  #heard = false;
  #stopped = false;
  readonly #held: string[] = [];
  #words: Timer | undefined;

  /** Starts the recorder. End it with `stop()` or by aborting the context. */
  constructor(setup: CaptureSetup, context: SoundContext) {
    const { recorder, path, clock, noDataMs } = setup;
    const { signal } = context;
    this.#setup = setup;
    this.#context = context;
    this.#throttled = new ThrottledWarnings((message) => context.warn(message), clock);
    this.#captured = new CaptureClock(setup.capture.sampleRateHz);
    this.#queue = new LiveQueue({ maxSamples: this.#toSamples(setup.maxQueuedMs) });
    this.#program = recorder.start(path, recorder.command(setup.capture), {
      signal,
      onStderrLine: (line) => {
        // Before the first sound these lines belong to the error that follows; after the stop they are of no
        // interest.
        if (this.#heard && !this.#stopped) this.#hold(`${recorder.name}: ${line}`);
      },
    });
    this.#watchdog = new Watchdog(clock, noDataMs, () => {
      this.#queue.end(this.#failed(`gave no sound for ${noDataMs / 1000} s`));
      void this.#program.stop();
    });
    this.#onAbort = () => this.#queue.end(signal.reason as Error);
    signal.addEventListener('abort', this.#onAbort, { once: true });
    void this.#read();
  }

  /** Sound dropped so far because it was not taken in time, in milliseconds. */
  get droppedMs(): number {
    return this.#toMs(this.#queue.droppedSamples);
  }

  /**
   * Returns the next samples, at the requested rate.
   * @throws BridgeError RECORDER_FAILED when the recorder ended, hangs or cannot open the device; the
   * signal's reason
   */
  async next(): Promise<Recorded> {
    const samples = await this.#queue.next();
    if (samples === undefined) throw new BridgeError('CLOSED', `The ${this.#setup.label} was closed.`);
    return { samples, capturedAtMs: this.#captured.timeOf(this.#queue.takenFromSample)! };
  }

  /** Stops the recorder and waits until it has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#words?.cancel();
    this.#release();
    this.#context.signal.removeEventListener('abort', this.#onAbort);
    this.#queue.end();
    this.#throttled.end();
    await this.#program.stop();
  }

  /** Reports a message of the recorder after a short delay, unless the capture is stopped by then. */
  #hold(words: string): void {
    this.#held.push(words);
    this.#words ??= this.#setup.clock.after(FAREWELL_MS, () => this.#release());
  }

  #release(): void {
    this.#words = undefined;
    const held = this.#held.splice(0);
    if (!this.#context.signal.aborted) for (const words of held) this.#throttled.say(words);
  }

  async #read(): Promise<void> {
    const { recorder, label } = this.#setup;
    const reader = new SampleReader('s16le', this.#setup.capture.sampleRateHz, 1);
    const mute = new MuteDetector(this.#toSamples(MUTED_AFTER_MS));
    try {
      for await (const bytes of this.#program.stdout) {
        this.#watchdog.feed();
        const samples = reader.push(bytes)?.samples as Int16Array | undefined;
        if (!samples) continue;
        if (!this.#heard) {
          this.#heard = true;
          this.#setup.onFirstSound();
        }
        if (mute.push(samples))
          this.#context.warn(`The ${label} gives nothing but digital silence. Is it muted?`);
        this.#captured.came(samples.length, this.#setup.clock.nowMs());
        const dropped = this.#queue.push(samples);
        if (dropped > 0) this.#throttled.drop(`the ${label}`, this.#toMs(dropped), this.droppedMs);
      }
      this.#queue.end(this.#failed(await this.#describeEnd()));
    } catch (error) {
      this.#queue.end(toBridgeError(error, 'RECORDER_FAILED', `${recorder.name} failed`));
    } finally {
      this.#watchdog.stop();
    }
  }

  async #describeEnd(): Promise<string> {
    const { code, signal, error } = await this.#program.exit;
    if (error) return `could not be started (${error.message})`;
    const how = signal === null ? `status ${code ?? 'unknown'}` : signal;
    return this.#heard
      ? `ended by itself (${how}); the microphone may have been unplugged`
      : `ended before any sound came (${how})`;
  }

  #failed(how: string): BridgeError {
    const words = lastLines(this.#program.stderrTail());
    const { name } = this.#setup.recorder;
    return new BridgeError('RECORDER_FAILED', `${name} ${how}${words === '' ? '' : `: ${words}`}.`);
  }

  #toSamples(ms: number): number {
    return Math.round((ms * this.#setup.capture.sampleRateHz) / 1000);
  }

  #toMs(samples: number): number {
    return (samples * 1000) / this.#setup.capture.sampleRateHz;
  }
}

/** Reports once when a sound has been exactly zero from its start for too long. */
class MuteDetector {
  #leftSamples: number;

  constructor(limitSamples: number) {
    this.#leftSamples = limitSamples;
  }

  /** @returns true for the block at which the limit is reached */
  push(samples: Int16Array): boolean {
    if (this.#leftSamples <= 0) return false;
    if (samples.some((sample) => sample !== 0)) {
      this.#leftSamples = 0;
      return false;
    }
    this.#leftSamples -= samples.length;
    return this.#leftSamples <= 0;
  }
}

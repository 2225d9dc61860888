import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { ContentRule } from './content.js';
import type { DropReason, PlaybackOptions } from './playback.js';
import type { Death, ReceivedCommand, SimulatorState } from './report.js';
import type { BrokenRule } from './rules.js';
import type { PluginSpeech, SynthPluginOptions } from './synth-plugin.js';

/** Simulated accidents of an avatar. */
export interface SimulatorAccidents {
  /** Time from the upgrade to a sudden death, in milliseconds. */
  readonly dieAfterMs?: number;
  /** Received samples after which it dies suddenly. */
  readonly dieAfterSamples?: number;
}

/** Options of a simulated avatar. */
export interface SimulatorOptions extends PlaybackOptions {
  /** Address to connect to: `ws://127.0.0.1:9001/chat`, or `tcp://127.0.0.1:60001` over plain TCP. */
  readonly url: string;
  /** True makes it a TCP server that listens at `url`, `tcp://127.0.0.1:50001`. Default false. */
  readonly tcpServer?: boolean | undefined;
  /** Alias of the model that its content loads. Default `0`. */
  readonly modelAlias?: string;
  /**
   * Time from the upgrade until it is ready, in milliseconds; Infinity: never. Default 150; measured 136 to
   * 716.
   */
  readonly readyAfterMs?: number;
  /**
   * Time from the upgrade until the sound device is open, in milliseconds; earlier sound is dropped. Default
   * 200.
   */
  readonly audioOpenMs?: number;
  /** True sends the log in place of messages, as `Plugin_Remote_AllLog=true`. Default false. */
  readonly allLog?: boolean;
  /** Number of retries after a refused connection, as `Plugin_Remote_RetryCount`. Default 0. */
  readonly retryCount?: number;
  /** False discards the heard sound. Default true. */
  readonly record?: boolean;
  /** Delay from a command to its echo, minimum and maximum. Default 30 to 60 ms (protocol.md §3). */
  readonly echoMs?: readonly [number, number];
  /** Maximum random delay of each read, in milliseconds, which simulates a bad link. Default 0. */
  readonly readJitterMs?: number;
  readonly faults?: SimulatorAccidents;
  /** True when a file exists on the avatar's own machine. Default: all files exist. */
  readonly fileExists?: (path: string) => boolean;
  /** Dialogue that its content plays; see `parseContent`. Default: none. */
  readonly content?: readonly ContentRule[] | undefined;
  /** Speech plugins of the avatar. Default: none, and SYNTH_START is only echoed. */
  readonly synth?: SynthPluginOptions | undefined;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Random number from 0 up to 1, for echoes and jitter. */
  readonly random?: () => number;
  readonly timeOfDay?: () => Date;
}

/** Events of a simulated avatar. Times are milliseconds since the upgrade. */
export interface SimulatorEvents {
  state: SimulatorState;
  command: ReceivedCommand;
  /** Samples that came; `dropped` is the reason why they are not heard. */
  audio: { readonly samples: Int16Array; readonly atMs: number; readonly dropped?: DropReason };
  /** Speech of its own plugin has ended. */
  synth: PluginSpeech;
  /** A broken rule, fault or note: see `severity`. */
  fault: BrokenRule;
  died: Death;
}

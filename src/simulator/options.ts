import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { ContentRule } from './content.js';
import type { DropReason, PlaybackOptions } from './playback.js';
import type { Death, ReceivedCommand, SimulatorState } from './report.js';
import type { BrokenRule } from './rules.js';
import type { PluginSpeech, SynthPluginOptions } from './synth-plugin.js';

/** Accidents that a simulated avatar can act out. */
export interface SimulatorAccidents {
  /** It vanishes so long after the upgrade, in milliseconds. */
  readonly dieAfterMs?: number;
  /** It vanishes once so many samples have come. */
  readonly dieAfterSamples?: number;
}

/** How a simulated avatar is made. */
export interface SimulatorOptions extends PlaybackOptions {
  /** Where it connects: `ws://127.0.0.1:9001/chat`, or `tcp://127.0.0.1:60001` over plain TCP. */
  readonly url: string;
  /** It is a TCP server: it listens at `url`, `tcp://127.0.0.1:50001`, and others connect to it. Default false. */
  readonly tcpServer?: boolean | undefined;
  /** The alias of the model that its content loads. Default `0`. */
  readonly modelAlias?: string;
  /** From the upgrade until it is ready, in milliseconds; Infinity: never. Default 150; measured 136 to 716. */
  readonly readyAfterMs?: number;
  /** From the upgrade until its sound device is open, in milliseconds; sound before is dropped. Default 200. */
  readonly audioOpenMs?: number;
  /** It sends its log in place of its messages, as `Plugin_Remote_AllLog=true`. Default false. */
  readonly allLog?: boolean;
  /** How often it tries again when it is not let in, as `Plugin_Remote_RetryCount`. Default 0. */
  readonly retryCount?: number;
  /** False keeps nothing of what is heard. Default true. */
  readonly record?: boolean;
  /** From a command to its echo, least and most. Default 30 to 60 ms (protocol.md §3). */
  readonly echoMs?: readonly [number, number];
  /** Each read is held up by a random time up to this, in milliseconds: a bad link. Default 0. */
  readonly readJitterMs?: number;
  readonly faults?: SimulatorAccidents;
  /** True when the avatar's own machine would have this file. Default: it has all. */
  readonly fileExists?: (path: string) => boolean;
  /** The dialogue that its content plays; see `parseContent`. Default none. */
  readonly content?: readonly ContentRule[] | undefined;
  /** Its own speech plugins. Default: it has none, and SYNTH_START is only echoed. */
  readonly synth?: SynthPluginOptions | undefined;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** 0 up to 1; for echoes and jitter. */
  readonly random?: () => number;
  readonly timeOfDay?: () => Date;
}

/** What a simulated avatar tells while it lives. Times are milliseconds since the upgrade. */
export interface SimulatorEvents {
  state: SimulatorState;
  command: ReceivedCommand;
  /** Samples that came; `dropped` says why they are not heard. */
  audio: { readonly samples: Int16Array; readonly atMs: number; readonly dropped?: DropReason };
  /** Its own speech plugin has spoken. */
  synth: PluginSpeech;
  /** A broken rule, faults and notes alike: see its `severity`. */
  fault: BrokenRule;
  died: Death;
}

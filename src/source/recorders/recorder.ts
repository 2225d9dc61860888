import type { Program } from '../../base/child.js';

/**
 * Names of the recorders. The list is closed: a caller's name is looked up in it and never executed or
 * loaded.
 */
export const RECORDER_NAMES = ['parec', 'pw-record', 'arecord', 'sox', 'rec', 'ffmpeg'] as const;

/** A name of a recorder. */
export type RecorderName = (typeof RECORDER_NAMES)[number];

/** A microphone or another input, as a recorder lists it. */
export interface Device {
  /** Value of `--device` for this recorder. */
  readonly id: string;
  /** Name for people. */
  readonly description: string;
  /** True for the default device. */
  readonly isDefault: boolean;
  /** True for a monitor: the output of a loudspeaker, not a microphone. */
  readonly isMonitor: boolean;
}

/** Options of a recording. */
export interface CaptureOptions {
  /** Id from `listDevices`; default: the system's default device. */
  readonly device?: string;
  readonly sampleRateHz: number;
  /** Length of a piece of sound, in milliseconds: 20 to 40. */
  readonly periodMs: number;
}

/** Format of headerless sound from a recorder: 16-bit signed little-endian, mono. */
export interface RawFormat {
  readonly encoding: 's16le';
  readonly sampleRateHz: number;
  readonly channels: 1;
}

/** Command line of a recorder. */
export interface CaptureCommand {
  readonly args: readonly string[];
  /** Environment variables to add. */
  readonly env?: Readonly<Record<string, string>>;
  readonly rawFormat: RawFormat;
}

/** Options of a start, beside the command. */
export interface StartOptions {
  /** Ends the recorder when aborted. */
  readonly signal: AbortSignal;
  /** Called with each line of standard error. */
  readonly onStderrLine?: (line: string) => void;
}

/** A recorder of the table. */
export interface Recorder {
  readonly name: RecorderName;
  /** Systems on which it can exist. */
  readonly platforms: readonly NodeJS.Platform[];
  /** True when it has no default device: without a given one, the first of its list is used. */
  readonly needsDevice: boolean;
  /** Install command for each system, one line each. */
  readonly install: Readonly<Partial<Record<NodeJS.Platform, string>>>;
  /** Feature that an installed version may lack: a phrase that completes `is not installed, or …`. */
  readonly mayLack?: string;
  /**
   * Returns the absolute path of the program; undefined when it is not installed or lacks a needed feature.
   */
  available(): Promise<string | undefined>;
  /**
   * Lists the inputs, the default first; empty when the recorder cannot list them.
   * @throws BridgeError RECORDER_FAILED when listing failed
   */
  listDevices(signal: AbortSignal): Promise<Device[]>;
  /** Returns the command that records. */
  command(options: CaptureOptions): CaptureCommand;
  /** Starts the recorder. `path` comes from `available()`. */
  start(path: string, command: CaptureCommand, options: StartOptions): Program;
}

/** Returns the format that every recorder here is told to write. */
export function rawFormat(sampleRateHz: number): RawFormat {
  return { encoding: 's16le', sampleRateHz, channels: 1 };
}

/** Sorts devices: the default first, then microphones before monitors, otherwise in the given order. */
export function sortDevices(devices: readonly Device[]): Device[] {
  const rank = (device: Device): number => (device.isDefault ? 0 : device.isMonitor ? 2 : 1);
  return [...devices].sort((a, b) => rank(a) - rank(b));
}

import type { Program } from '../../base/child.js';

/** The recorders, a closed list: a name that a caller gives is looked up in it and never run or loaded as it stands. */
export const RECORDER_NAMES = ['parec', 'pw-record', 'arecord', 'sox', 'rec', 'ffmpeg'] as const;

/** A program that can record. */
export type RecorderName = (typeof RECORDER_NAMES)[number];

/** A microphone, or another input, as one recorder knows it. */
export interface Device {
  /** What `--device` takes for this recorder. */
  readonly id: string;
  /** What people call it. */
  readonly description: string;
  /** True for the one that is taken when none is named. */
  readonly isDefault: boolean;
  /** True for what a loudspeaker plays, rather than what a microphone hears. */
  readonly isMonitor: boolean;
}

/** What is asked of a recorder. */
export interface CaptureOptions {
  /** An id of `listDevices`; without it the system's default. */
  readonly device?: string;
  readonly sampleRateHz: number;
  /** How much sound it hands over at a time, in milliseconds: 20 to 40. */
  readonly periodMs: number;
}

/** Headerless sound, as a recorder writes it: 16-bit signed little-endian, mono. */
export interface RawFormat {
  readonly encoding: 's16le';
  readonly sampleRateHz: number;
  readonly channels: 1;
}

/** How a recorder is run. */
export interface CaptureCommand {
  readonly args: readonly string[];
  /** Variables added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly rawFormat: RawFormat;
}

/** What a recorder is started with, beside its command. */
export interface StartOptions {
  /** Ends it when aborted. */
  readonly signal: AbortSignal;
  /** Told each line that it prints on its standard error. */
  readonly onStderrLine?: (line: string) => void;
}

/** One recorder of the closed table. */
export interface Recorder {
  readonly name: RecorderName;
  /** Where it can be looked for. */
  readonly platforms: readonly NodeJS.Platform[];
  /** True when it knows no default device: without one that is named, the first of its list is taken. */
  readonly needsDevice: boolean;
  /** How it is got, per system: one line each. */
  readonly install: Readonly<Partial<Record<NodeJS.Platform, string>>>;
  /** What an installed one may lack, so that it is not taken: a phrase that ends `is not installed, or …`. */
  readonly mayLack?: string;
  /** The program's absolute path, or undefined when it is not installed or cannot do what is needed. */
  available(): Promise<string | undefined>;
  /**
   * The inputs it can record from, the default first; empty when it cannot tell.
   * @throws BridgeError RECORDER_FAILED when asking failed
   */
  listDevices(signal: AbortSignal): Promise<Device[]>;
  /** The command that records. */
  command(options: CaptureOptions): CaptureCommand;
  /** Starts it. `path` comes from `available()`. */
  start(path: string, command: CaptureCommand, options: StartOptions): Program;
}

/** The format that every recorder here is told to write. */
export function rawFormat(sampleRateHz: number): RawFormat {
  return { encoding: 's16le', sampleRateHz, channels: 1 };
}

/** The default first, then microphones before monitors, each in the order given. */
export function sortDevices(devices: readonly Device[]): Device[] {
  const rank = (device: Device): number => (device.isDefault ? 0 : device.isMonitor ? 2 : 1);
  return [...devices].sort((a, b) => rank(a) - rank(b));
}

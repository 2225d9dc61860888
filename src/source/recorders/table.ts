import { arecord } from './arecord.js';
import { ffmpegRecorder } from './ffmpeg.js';
import { parec } from './parec.js';
import { pwRecord } from './pw-record.js';
import { RECORDER_NAMES, type Recorder, type RecorderName } from './recorder.js';
import { rec, sox } from './sox.js';

/** All recorders by name. */
export const RECORDERS: Readonly<Record<RecorderName, Recorder>> = {
  parec,
  'pw-record': pwRecord,
  arecord,
  sox,
  rec,
  ffmpeg: ffmpegRecorder(process.platform),
};

/**
 * Order of `auto` by system: closest to the system's own interface first, for less delay and better messages.
 */
const ORDER: Readonly<Partial<Record<NodeJS.Platform, readonly RecorderName[]>>> = {
  linux: ['parec', 'pw-record', 'arecord', 'ffmpeg', 'rec', 'sox'],
  darwin: ['sox', 'rec', 'ffmpeg'],
  win32: ['ffmpeg', 'sox'],
};

/** Returns the recorders that `auto` tries on a system, in order. */
export function recordersFor(platform: NodeJS.Platform = process.platform): Recorder[] {
  const names =
    ORDER[platform] ?? RECORDER_NAMES.filter((name) => RECORDERS[name].platforms.includes(platform));
  return names.map((name) => RECORDERS[name]);
}

import { findProgram, startProgram } from '../../base/child.js';
import { BridgeError } from '../../base/errors.js';
import { rawFormat, sortDevices, type Device, type Recorder } from './recorder.js';
import { ask, lastLines } from './run.js';

/** ALSA's recorder: for a system without a sound server; it also reaches one through ALSA's plugins. */
export const arecord: Recorder = {
  name: 'arecord',
  platforms: ['linux'],
  needsDevice: false,
  install: { linux: 'apt install alsa-utils' },
  available: () => findProgram('arecord'),
  listDevices,
  command: ({ device, sampleRateHz, periodMs }) => ({
    args: [
      '--quiet',
      ...(device === undefined ? [] : [`--device=${device}`]),
      '--file-type=raw',
      '--format=S16_LE',
      `--rate=${sampleRateHz}`,
      '--channels=1',
      // In microseconds. The buffer protects against overruns; the default can be half a second.
      `--period-time=${periodMs * 1000}`,
      `--buffer-time=${periodMs * 4000}`,
    ],
    rawFormat: rawFormat(sampleRateHz),
  }),
  start: (path, { args }, options) => startProgram(path, args, options),
};

async function listDevices(signal: AbortSignal): Promise<Device[]> {
  const path = await findProgram('arecord');
  if (path === undefined) return [];
  const answer = await ask(path, ['-L'], signal);
  if (!answer.ok)
    throw new BridgeError('RECORDER_FAILED', `arecord cannot list devices: ${lastLines(answer.stderr)}.`);
  return parsePcmList(answer.stdout);
}

/** Plugins that convert or discard sound; ALSA lists them among the devices. */
const NOT_DEVICES =
  /^(null|lavrate|samplerate|speexrate|speex|upmix|vdownmix|oss|jack|(surround|hdmi|dmix|usbstream).*)$/;

/** Parses `arecord -L`: a name on its own line, its description indented below. */
export function parsePcmList(text: string): Device[] {
  const devices: { id: string; description: string }[] = [];
  for (const line of text.split('\n')) {
    if (/^\S/.test(line)) devices.push({ id: line.trim(), description: '' });
    else if (devices.length > 0 && line.trim() !== '') {
      const device = devices[devices.length - 1]!;
      device.description = device.description ? `${device.description}, ${line.trim()}` : line.trim();
    }
  }
  return sortDevices(
    devices
      .filter(({ id }) => !NOT_DEVICES.test(id))
      .map(({ id, description }) => ({
        id,
        description: description || id,
        isDefault: id === 'default',
        isMonitor: false,
      })),
  );
}

import { findProgram, startProgram } from '../../base/child.js';
import { BridgeError } from '../../base/errors.js';
import { rawFormat, sortDevices, type Device, type Recorder } from './recorder.js';
import { ask, lastLines } from './run.js';

/** PulseAudio's recorder, which also works with PipeWire's pulse server: first choice on Linux. */
export const parec: Recorder = {
  name: 'parec',
  platforms: ['linux', 'freebsd'],
  needsDevice: false,
  install: { linux: 'apt install pulseaudio-utils', freebsd: 'pkg install pulseaudio' },
  available: () => findProgram('parec'),
  listDevices,
  command: ({ device, sampleRateHz, periodMs }) => ({
    args: [
      '--raw',
      '--format=s16le',
      `--rate=${sampleRateHz}`,
      '--channels=1',
      // Measured: this gives one block of this length per period; without it the server delivers 2 s at once.
      `--latency-msec=${periodMs}`,
      '--client-name=mmdagent-bridge',
      '--stream-name=microphone',
      ...(device === undefined ? [] : [`--device=${device}`]),
    ],
    rawFormat: rawFormat(sampleRateHz),
  }),
  start: (path, { args }, options) => startProgram(path, args, options),
};

async function listDevices(signal: AbortSignal): Promise<Device[]> {
  const pactl = await findProgram('pactl');
  if (pactl === undefined) return [];
  const info = await ask(pactl, ['info'], signal);
  if (!info.ok)
    throw new BridgeError('RECORDER_FAILED', `PulseAudio does not answer: ${lastLines(info.stderr)}.`);
  const defaultId = /^Default Source: (.*)$/m.exec(info.stdout)?.[1];
  const sources = await ask(pactl, ['list', 'sources'], signal);
  return parseSources(sources.stdout, defaultId);
}

/**
 * Parses `pactl list sources` (in English), which every version prints, unlike its JSON form.
 * @param defaultId name of the default source
 */
export function parseSources(text: string, defaultId: string | undefined): Device[] {
  const devices = text.split(/^Source #/m).flatMap((part) => {
    const id = /^\s*Name: (.*)$/m.exec(part)?.[1];
    if (id === undefined) return [];
    const description = /^\s*Description: (.*)$/m.exec(part)?.[1] ?? id;
    const monitorOf = /^\s*Monitor of Sink: (.*)$/m.exec(part)?.[1];
    return [
      {
        id,
        description,
        isDefault: id === defaultId,
        isMonitor: monitorOf !== undefined && monitorOf !== 'n/a',
      },
    ];
  });
  return sortDevices(devices);
}

import { findProgram } from '../../base/child.js';
import { startNodeRecord } from './node-record.js';
import { rawFormat, type CaptureOptions, type Recorder } from './recorder.js';

const install = {
  linux: 'apt install sox libsox-fmt-pulse',
  darwin: 'brew install sox',
  win32: 'winget install ChrisBagwell.SoX',
} as const;

/** SoX under its own name. */
export const sox = soxRecorder('sox');
/** SoX under the name that records from the default device; not available on Windows. */
export const rec = soxRecorder('rec');

/**
 * Makes a SoX recorder on node-record-lpcm16, behind the guards of node-record.ts. It cannot list devices; a
 * given device becomes AUDIODEV, for SoX's default driver or the one in AUDIODRIVER.
 */
function soxRecorder(name: 'sox' | 'rec'): Recorder {
  return {
    name,
    platforms: name === 'rec' ? ['linux', 'darwin', 'freebsd'] : ['linux', 'darwin', 'win32', 'freebsd'],
    needsDevice: false,
    install,
    available: () => findProgram(name),
    listDevices: () =>
      Promise.resolve([
        { id: 'default', description: "the system's default input", isDefault: true, isMonitor: false },
      ]),
    command: (options) => ({
      // node-record-lpcm16 makes the arguments; everything else is set through the environment.
      args: [],
      env: environment(options),
      rawFormat: rawFormat(options.sampleRateHz),
    }),
    start: (path, command, options) => startNodeRecord(name, path, command, options),
  };
}

function environment({ device, sampleRateHz, periodMs }: CaptureOptions): Record<string, string> {
  // Half a period: SoX passes a buffer on when it is full, and the pipe takes 4,096 bytes at a time anyway.
  const bufferBytes = Math.max(64, Math.round((sampleRateHz * periodMs) / 1000));
  return {
    // Replaces the user's SOX_OPTS: effects or a --type meant for the shell must not change this sound.
    SOX_OPTS: `--buffer ${bufferBytes}`,
    // SoX's PulseAudio driver requests no latency and gets 2 s at a time (measured); this sets one.
    PULSE_LATENCY_MSEC: String(periodMs),
    ...(device === undefined ? {} : { AUDIODEV: device }),
    // SoX does not select a driver by itself on Windows.
    ...(process.platform === 'win32' && process.env.AUDIODRIVER === undefined
      ? { AUDIODRIVER: 'waveaudio' }
      : {}),
  };
}

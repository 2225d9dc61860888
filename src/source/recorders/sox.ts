import { findProgram } from '../../base/child.js';
import { startNodeRecord } from './node-record.js';
import { rawFormat, type CaptureOptions, type Recorder } from './recorder.js';

const install = {
  linux: 'apt install sox libsox-fmt-pulse',
  darwin: 'brew install sox',
  win32: 'winget install ChrisBagwell.SoX',
} as const;

/** SoX by its own name. */
export const sox = soxRecorder('sox');
/** SoX by the name under which it records from the default device on its own account; not there on Windows. */
export const rec = soxRecorder('rec');

/**
 * SoX through node-record-lpcm16, behind the guards of node-record.ts. It cannot list devices; the one that is named
 * is what SoX calls AUDIODEV, for the driver that it takes by itself or that AUDIODRIVER names.
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
      // node-record-lpcm16 makes the arguments itself; what it cannot set goes through the environment.
      args: [],
      env: environment(options),
      rawFormat: rawFormat(options.sampleRateHz),
    }),
    start: (path, command, options) => startNodeRecord(name, path, command, options),
  };
}

function environment({ device, sampleRateHz, periodMs }: CaptureOptions): Record<string, string> {
  // Half a period: SoX hands a buffer on when it is full, and the pipe takes 4,096 bytes at a time anyway.
  const bufferBytes = Math.max(64, Math.round((sampleRateHz * periodMs) / 1000));
  return {
    // Replaces the user's own SOX_OPTS: effects or a --type meant for their shell must not reach this sound.
    SOX_OPTS: `--buffer ${bufferBytes}`,
    // Its PulseAudio driver asks for no latency and gets 2 s at a time (measured); this makes the library ask.
    PULSE_LATENCY_MSEC: String(periodMs),
    ...(device === undefined ? {} : { AUDIODEV: device }),
    // SoX looks for no driver by itself on Windows.
    ...(process.platform === 'win32' && process.env.AUDIODRIVER === undefined
      ? { AUDIODRIVER: 'waveaudio' }
      : {}),
  };
}

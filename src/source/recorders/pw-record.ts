import { findProgram, startProgram } from '../../base/child.js';
import { rawFormat, sortDevices, type Device, type Recorder } from './recorder.js';
import { ask } from './run.js';

/**
 * PipeWire's own recorder, for a system with PipeWire but without the tools of its pulse server. Only
 * versions with `--raw` are used: older ones write a file header of their own choice into a pipe.
 */
export const pwRecord: Recorder = {
  name: 'pw-record',
  platforms: ['linux'],
  needsDevice: false,
  install: { linux: 'apt install pipewire-bin' },
  mayLack: 'is too old to know --raw',
  available,
  listDevices,
  command: ({ device, sampleRateHz, periodMs }) => ({
    args: [
      '--raw',
      '--format=s16',
      `--rate=${sampleRateHz}`,
      '--channels=1',
      `--latency=${periodMs}ms`,
      ...(device === undefined ? [] : [`--target=${device}`]),
      '-',
    ],
    rawFormat: rawFormat(sampleRateHz),
  }),
  start: (path, { args }, options) => startProgram(path, args, options),
};

async function available(): Promise<string | undefined> {
  const path = await findProgram('pw-record');
  if (path === undefined) return undefined;
  try {
    const help = await ask(path, ['--help'], new AbortController().signal);
    return /--raw\b/.test(help.stdout + help.stderr) ? path : undefined;
  } catch {
    return undefined;
  }
}

async function listDevices(signal: AbortSignal): Promise<Device[]> {
  const dump = await findProgram('pw-dump');
  if (dump === undefined) return [];
  return parseDump((await ask(dump, ['--no-colors'], signal)).stdout);
}

/** Parses the JSON of `pw-dump`: the source nodes, and the default from its metadata. */
export function parseDump(text: string): Device[] {
  let objects: unknown;
  try {
    objects = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(objects)) return [];
  const defaultId = objects.map(defaultSource).find((name) => name !== undefined);
  const devices = objects.flatMap((object) => {
    const props = field(field(object, 'info'), 'props');
    const id = field(props, 'node.name');
    const mediaClass = field(props, 'media.class');
    if (typeof id !== 'string' || typeof mediaClass !== 'string') return [];
    if (!mediaClass.startsWith('Audio/Source')) return [];
    const description = field(props, 'node.description');
    return [
      {
        id,
        description: typeof description === 'string' ? description : id,
        isDefault: id === defaultId,
        isMonitor: false,
      },
    ];
  });
  return sortDevices(devices);
}

function defaultSource(object: unknown): string | undefined {
  const metadata = field(object, 'metadata');
  if (!Array.isArray(metadata)) return undefined;
  const entry = metadata.find((item) => field(item, 'key') === 'default.audio.source') as unknown;
  const name = field(field(entry, 'value'), 'name');
  return typeof name === 'string' ? name : undefined;
}

function field(object: unknown, key: string): unknown {
  return typeof object === 'object' && object !== null ? (object as Record<string, unknown>)[key] : undefined;
}

import { findProgram, startProgram } from '../../base/child.js';
import { BridgeError } from '../../base/errors.js';
import { rawFormat, sortDevices, type CaptureOptions, type Device, type Recorder } from './recorder.js';
import { ask, lastLines } from './run.js';

/**
 * Returns the ffmpeg recorder for a system. Linux: PulseAudio, or ALSA for a device that begins with `alsa:`;
 * macOS: AVFoundation; Windows: DirectShow. `platform` is an argument so that each command can be tested
 * anywhere.
 */
export function ffmpegRecorder(platform: NodeJS.Platform): Recorder {
  return {
    name: 'ffmpeg',
    platforms: ['linux', 'darwin', 'win32'],
    needsDevice: platform === 'win32',
    install: {
      linux: 'apt install ffmpeg',
      darwin: 'brew install ffmpeg',
      win32: 'winget install Gyan.FFmpeg',
    },
    available: () => findProgram('ffmpeg'),
    listDevices: (signal) => listDevices(platform, signal),
    command: (options) => ({
      args: [
        ...['-hide_banner', '-nostdin', '-loglevel', 'error'],
        // Without these options ffmpeg holds back seconds of sound to analyse the input.
        ...['-fflags', 'nobuffer', '-probesize', '32', '-analyzeduration', '0'],
        ...input(platform, options),
        ...['-f', 's16le', '-ar', String(options.sampleRateHz), '-ac', '1', '-flush_packets', '1', 'pipe:1'],
      ],
      rawFormat: rawFormat(options.sampleRateHz),
    }),
    start: (path, { args }, options) => startProgram(path, args, options),
  };
}

function input(platform: NodeJS.Platform, { device, sampleRateHz, periodMs }: CaptureOptions): string[] {
  if (platform === 'darwin') return ['-f', 'avfoundation', '-i', `:${device ?? 'default'}`];
  if (platform === 'win32')
    return ['-f', 'dshow', '-audio_buffer_size', String(periodMs), '-i', `audio=${device ?? ''}`];
  const form = ['-sample_rate', String(sampleRateHz), '-channels', '1'];
  if (device?.startsWith('alsa:')) return ['-f', 'alsa', ...form, '-i', device.slice('alsa:'.length)];
  const fragmentBytes = Math.round((sampleRateHz * periodMs) / 1000) * 2;
  return ['-f', 'pulse', '-fragment_size', String(fragmentBytes), ...form, '-i', device ?? 'default'];
}

async function listDevices(platform: NodeJS.Platform, signal: AbortSignal): Promise<Device[]> {
  const path = await findProgram('ffmpeg');
  if (path === undefined) return [];
  const list = (...args: string[]): ReturnType<typeof ask> => ask(path, ['-hide_banner', ...args], signal);
  // ffmpeg reports an error here because nothing is opened; the list is on standard error.
  if (platform === 'darwin')
    return parseAvfoundation((await list('-f', 'avfoundation', '-list_devices', 'true', '-i', '')).stderr);
  if (platform === 'win32')
    return parseDshow((await list('-f', 'dshow', '-list_devices', 'true', '-i', 'dummy')).stderr);
  const answer = await list('-sources', 'pulse');
  if (!answer.ok)
    throw new BridgeError('RECORDER_FAILED', `ffmpeg cannot list devices: ${lastLines(answer.stderr)}.`);
  return parseSources(answer.stdout);
}

/** Parses `ffmpeg -sources pulse`: `* name [description] (media types)`, with the star at the default. */
export function parseSources(text: string): Device[] {
  const lines = [...text.matchAll(/^(\*| ) (\S+) \[(.*)\]/gm)];
  return sortDevices(
    lines.map(([, star, id, description]) => ({
      id: id!,
      description: description!,
      isDefault: star === '*',
      isMonitor: id!.endsWith('.monitor'),
    })),
  );
}

/** Parses ffmpeg's list of AVFoundation devices: `[0] name` below the heading of the audio devices. */
export function parseAvfoundation(text: string): Device[] {
  const audio = text.split(/AVFoundation audio devices:/)[1] ?? '';
  return [...audio.matchAll(/\] \[(\d+)\] (.*)$/gm)].map(([, id, description]) => ({
    id: id!,
    description: description!.trim(),
    isDefault: false,
    isMonitor: false,
  }));
}

/**
 * Parses ffmpeg's list of DirectShow devices: `"name" (audio)`, or names below a heading in older versions.
 */
export function parseDshow(text: string): Device[] {
  const headed = text.split(/DirectShow audio devices/)[1];
  const pattern =
    headed === undefined ? /\]\s+"(.+)" \((?:none|[a-z, ]*\baudio\b[a-z, ]*)\)/g : /\]\s+"(.+)"/g;
  return [...(headed ?? text).matchAll(pattern)]
    .map(([, name]) => name!)
    .filter((name) => !name.startsWith('@device'))
    .map((id, i) => ({ id, description: id, isDefault: i === 0, isMonitor: false }));
}

import { describe, expect, it } from 'vitest';
import { parsePcmList } from '../../../src/source/recorders/arecord.js';
import {
  ffmpegRecorder,
  parseAvfoundation,
  parseDshow,
  parseSources as parseFfmpegSources,
} from '../../../src/source/recorders/ffmpeg.js';
import { parseSources } from '../../../src/source/recorders/parec.js';
import { parseDump } from '../../../src/source/recorders/pw-record.js';
import { RECORDERS, recordersFor } from '../../../src/source/recorders/table.js';

describe('the lists of devices', () => {
  it('reads pactl: the default first, then microphones, then monitors', () => {
    const source = (index: number, name: string, description: string, monitorOf: string): string =>
      [
        `Source #${index}`,
        '\tState: SUSPENDED',
        `\tName: ${name}`,
        `\tDescription: ${description}`,
        '\tDriver: PipeWire',
        `\tMonitor of Sink: ${monitorOf}`,
        '\tProperties:',
        '\t\tdevice.description = "something else"',
        '',
      ].join('\n');
    const text =
      source(1, 'alsa_output.pci.analog.monitor', 'Monitor of Speakers', 'alsa_output.pci.analog') +
      source(2, 'alsa_input.pci.analog', 'Built-in Audio', 'n/a') +
      source(3, 'alsa_input.usb-Jabra', 'Jabra Headset', 'n/a');
    expect(parseSources(text, 'alsa_input.usb-Jabra')).toEqual([
      { id: 'alsa_input.usb-Jabra', description: 'Jabra Headset', isDefault: true, isMonitor: false },
      { id: 'alsa_input.pci.analog', description: 'Built-in Audio', isDefault: false, isMonitor: false },
      {
        id: 'alsa_output.pci.analog.monitor',
        description: 'Monitor of Speakers',
        isDefault: false,
        isMonitor: true,
      },
    ]);
    expect(parseSources('', undefined)).toEqual([]);
  });

  it('reads arecord -L, without the plugins that are no devices', () => {
    const text = `null
    Discard all samples (playback) or generate zero samples (capture)
default
samplerate
    Rate Converter Plugin Using Samplerate Library
pulse
    PulseAudio Sound Server
hw:CARD=PCH,DEV=0
    HDA Intel PCH, ALC257 Analog
    Direct hardware device without any conversions
surround51:CARD=PCH,DEV=0
    HDA Intel PCH, ALC257 Analog
`;
    expect(parsePcmList(text).map(({ id, description, isDefault }) => [id, description, isDefault])).toEqual([
      ['default', 'default', true],
      ['pulse', 'PulseAudio Sound Server', false],
      [
        'hw:CARD=PCH,DEV=0',
        'HDA Intel PCH, ALC257 Analog, Direct hardware device without any conversions',
        false,
      ],
    ]);
  });

  it('reads pw-dump: sources alone, with the default that the metadata names', () => {
    const node = (props: Record<string, string>): object => ({
      type: 'PipeWire:Interface:Node',
      info: { props },
    });
    const text = JSON.stringify([
      node({ 'node.name': 'alsa_output.x', 'media.class': 'Audio/Sink' }),
      node({ 'node.name': 'mic_a', 'media.class': 'Audio/Source' }),
      node({ 'node.name': 'mic_b', 'media.class': 'Audio/Source/Virtual', 'node.description': 'Headset' }),
      {
        type: 'PipeWire:Interface:Metadata',
        metadata: [{ key: 'default.audio.source', value: { name: 'mic_b' } }],
      },
      null,
    ]);
    expect(parseDump(text)).toEqual([
      { id: 'mic_b', description: 'Headset', isDefault: true, isMonitor: false },
      { id: 'mic_a', description: 'mic_a', isDefault: false, isMonitor: false },
    ]);
    expect(parseDump('cannot connect')).toEqual([]);
    expect(parseDump('{}')).toEqual([]);
  });

  it('reads ffmpeg’s lists of PulseAudio, AVFoundation and DirectShow', () => {
    expect(
      parseFfmpegSources(
        'Auto-detected sources for pulse:\n  out.monitor [Monitor of Out] (none)\n* mic [Mic [USB]] (none)\n',
      ),
    ).toEqual([
      { id: 'mic', description: 'Mic [USB]', isDefault: true, isMonitor: false },
      { id: 'out.monitor', description: 'Monitor of Out', isDefault: false, isMonitor: true },
    ]);
    const avfoundation = `[AVFoundation indev @ 0x7f] AVFoundation video devices:
[AVFoundation indev @ 0x7f] [0] FaceTime HD Camera
[AVFoundation indev @ 0x7f] AVFoundation audio devices:
[AVFoundation indev @ 0x7f] [0] MacBook Pro Microphone
[AVFoundation indev @ 0x7f] [1] External Microphone`;
    expect(parseAvfoundation(avfoundation).map(({ id, description }) => [id, description])).toEqual([
      ['0', 'MacBook Pro Microphone'],
      ['1', 'External Microphone'],
    ]);
    const dshow = `[dshow @ 000001] "Integrated Camera" (video)
[dshow @ 000001]   Alternative name "@device_pnp_x"
[dshow @ 000001] "Microphone (Realtek(R) Audio)" (audio)
[dshow @ 000001]   Alternative name "@device_cm_{33D9}\\wave_{1}"`;
    const older = `[dshow @ 000001] DirectShow video devices
[dshow @ 000001]  "Integrated Camera"
[dshow @ 000001] DirectShow audio devices
[dshow @ 000001]  "Microphone (Realtek(R) Audio)"
[dshow @ 000001]     Alternative name "@device_cm_{33D9}\\wave_{1}"`;
    const both = dshow.replace('(audio)', '(audio, video)');
    for (const text of [dshow, older, both])
      expect(parseDshow(text)).toEqual([
        {
          id: 'Microphone (Realtek(R) Audio)',
          description: 'Microphone (Realtek(R) Audio)',
          isDefault: true,
          isMonitor: false,
        },
      ]);
  });
});

describe('the recorders', () => {
  it('are tried on each system in an order of programs that exist there', () => {
    for (const platform of ['linux', 'darwin', 'win32'] as const) {
      const recorders = recordersFor(platform);
      expect(recorders.length).toBeGreaterThan(0);
      for (const { platforms, name } of recorders) expect(platforms, name).toContain(platform);
    }
    expect(recordersFor('linux')[0]!.name).toBe('parec');
    expect(recordersFor('freebsd').map(({ name }) => name)).toEqual(['parec', 'sox', 'rec']);
  });

  it('each say how they are installed where they are tried', () => {
    for (const platform of ['linux', 'darwin', 'win32'] as const)
      for (const { install, name } of recordersFor(platform))
        expect(install[platform], name).toMatch(/ install /);
  });

  it('hand a device to their program as one argument, whatever it holds', () => {
    const device = '-evil; $(rm -rf /) "x"';
    for (const { name, command } of Object.values(RECORDERS)) {
      const { args, env, rawFormat } = command({ device, sampleRateHz: 48_000, periodMs: 20 });
      const carriers = [...args, ...Object.values(env ?? {})].filter((value) => value.includes('rm -rf'));
      expect(carriers, name).toHaveLength(1);
      expect(carriers[0], name).toMatch(/^(--\w+=)?-evil; \$\(rm -rf \/\) "x"$/);
      expect(rawFormat).toEqual({ encoding: 's16le', sampleRateHz: 48_000, channels: 1 });
    }
  });

  it('have ffmpeg use the input of its system', () => {
    const args = (platform: NodeJS.Platform, device?: string): string =>
      ffmpegRecorder(platform)
        .command({ sampleRateHz: 48_000, periodMs: 20, ...(device === undefined ? {} : { device }) })
        .args.join(' ');
    expect(args('linux')).toMatch(/-f pulse -fragment_size 1920 .* -i default -f s16le/);
    expect(args('linux', 'alsa:hw:1,0')).toMatch(/-f alsa .* -i hw:1,0 -f s16le/);
    expect(args('darwin')).toMatch(/-f avfoundation -i :default -f s16le/);
    expect(args('win32', 'Microphone')).toMatch(
      /-f dshow -audio_buffer_size 20 -i audio=Microphone -f s16le/,
    );
    expect(ffmpegRecorder('win32').needsDevice).toBe(true);
  });
});

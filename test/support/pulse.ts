import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** Programs that a test with a PulseAudio of its own needs. */
export const PULSE_PROGRAMS = ['pulseaudio', 'pactl', 'pacat', 'parec'];

/** Longer than any test. */
const MAX_PLAY_S = 120;

/** A PulseAudio of a test's own: no sound card, one loudspeaker that plays into nothing, whose monitor is a microphone. */
export interface PulseServer {
  /** The microphone: hears what the loudspeaker plays. */
  readonly source: string;
  /** Plays 16 kHz mono samples into the loudspeaker, over and over, for two minutes or until the server stops. */
  play(samples: Int16Array): void;
  stop(): Promise<void>;
}

/** Starts it and points this process, and what it starts, at it through the environment. */
export async function startPulse(): Promise<PulseServer> {
  const folder = mkdtempSync(join(tmpdir(), 'pulse-'));
  const socket = join(folder, 'native');
  const variables = {
    PULSE_SERVER: `unix:${socket}`,
    XDG_RUNTIME_DIR: folder,
    PULSE_RUNTIME_PATH: folder,
    PULSE_STATE_PATH: folder,
    HOME: folder,
  };
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  const children = new Set<ChildProcess>();
  const start = (program: string, args: string[]): ChildProcess => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    children.add(child);
    // A test that fails while it starts must not leave a daemon behind.
    process.once('exit', () => child.kill('SIGKILL'));
    child.on('error', () => undefined);
    return child;
  };
  const daemon = start('pulseaudio', [
    ...[
      '-n',
      '--daemonize=no',
      '--system=false',
      '--use-pid-file=no',
      '--exit-idle-time=-1',
      '--disable-shm=yes',
    ],
    ...['-L', 'module-null-sink sink_name=bridge_test rate=48000 channels=1 channel_map=mono'],
    ...['-L', `module-native-protocol-unix auth-anonymous=1 socket=${socket}`],
  ]);
  let words = '';
  daemon.stderr!.setEncoding('utf8').on('data', (text: string) => (words += text));

  const stop = async (): Promise<void> => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue;
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
    rmSync(folder, { recursive: true, force: true });
  };

  for (let tries = 0; !existsSync(socket); tries++) {
    if (daemon.exitCode !== null || daemon.pid === undefined || tries > 200) {
      await stop();
      throw new Error(`PulseAudio did not start: ${words}`);
    }
    await setTimeout(50);
  }

  const play = (samples: Int16Array): void => {
    // From a file, by a process of its own: a test that computes must not starve the player.
    const file = join(folder, 'signal.raw');
    const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
    for (let seconds = 0; seconds < MAX_PLAY_S; seconds += samples.length / 16_000)
      appendFileSync(file, bytes);
    start('pacat', [
      ...['--playback', '--raw', '--format=s16le', '--rate=16000', '--channels=1', '--latency-msec=1500'],
      ...['--device=bridge_test', file],
    ]);
  };
  return { source: 'bridge_test.monitor', play, stop };
}

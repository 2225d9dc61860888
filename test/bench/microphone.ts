import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { findProgram } from '../../src/base/child.js';
import { microphoneSound } from '../../src/source/microphone.js';
import { PULSE_PROGRAMS, startPulse } from '../support/pulse.js';
import { muteAgent } from './mute-agent.js';
import { now, sharedClock, sleep } from './now.js';
import { spread } from './statistics.js';
import { unitBytes } from '../support/unit-bytes.js';
import type { Bench, Row } from './table.js';

const CHUNK_MS = 20;
const CHUNK_SAMPLES = 320;
const CLICK_EVERY_CHUNKS = 25;
const LOUD = 8000;
const RAW = ['--raw', '--format=s16le', '--rate=16000', '--channels=1'];
/** A click that is found later than this is another one. */
const MAX_LATENCY_MS = CLICK_EVERY_CHUNKS * CHUNK_MS - 50;

/** How long a sound takes from the microphone to the wire. */
export const microphone: Bench = {
  name: 'microphone',
  title:
    'Microphone to wire: from a program that plays into PulseAudio until the frame leaves, against a parec that only reads',
  async run(quick) {
    const found = await Promise.all(PULSE_PROGRAMS.map((program) => findProgram(program)));
    const missing = PULSE_PROGRAMS.filter((_, i) => !found[i]);
    if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
    const pulse = await startPulse();
    try {
      return await measure(pulse.source, quick ? 1000 : 10_000);
    } finally {
      await pulse.stop();
    }
  },
};

/** Tries again when nothing came through at all: on a loaded machine the sound server itself can take long to start. */
async function measure(source: string, ms: number): Promise<Row[]> {
  for (let attempt = 1; ; attempt += 1) {
    const rows = await measureOnce(source, ms * attempt);
    if (rows) return rows;
    if (attempt === 3) throw new Error('Not one click came through.');
  }
}

async function measureOnce(source: string, ms: number): Promise<Row[] | undefined> {
  const onWire = new ClickWatch();
  const atParec = new ClickWatch();
  const mute = await muteAgent(sharedClock, { leadMs: 120 });
  mute.onUnit = (unit) => {
    if (unit.kind === 'frame') onWire.push(unitBytes(unit).subarray(7));
  };
  const speech = mute.agent.live(microphoneSound({ recorder: 'parec', device: source, clock: sharedClock }));
  const parec = spawn('parec', [...RAW, '--latency-msec=40', `--device=${source}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  parec.stdout.on('data', (bytes: Buffer) => atParec.push(bytes));
  const player = spawn('pacat', ['--playback', ...RAW, '--latency-msec=20', '--device=bridge_test'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  try {
    // Until the first sound has been everywhere.
    await sleep(1500);
    const clicksMs = await click(player, ms);
    await sleep(MAX_LATENCY_MS);
    const ours = spread(latencies(clicksMs, onWire.clicksMs));
    const theirs = spread(latencies(clicksMs, atParec.clicksMs));
    if (ours.count === 0) return undefined;
    return [
      ...(['p50', 'max'] as const).map((key) => ({
        what: `${key}, the player’s own buffers included`,
        figure: ours[key],
        unit: 'ms',
        baseline: { what: 'parec alone', figure: theirs[key] },
      })),
      { what: 'added by the bridge, p50', figure: ours.p50 - theirs.p50, unit: 'ms' },
    ];
  } finally {
    await speech.stop();
    await Promise.all([end(player), end(parec)]);
  }
}

/** Plays silence with a click every half second, in real time. @returns when each click was handed over */
async function click(player: ChildProcess, ms: number): Promise<number[]> {
  const silence = Buffer.alloc(CHUNK_SAMPLES * 2);
  const loud = Buffer.from(
    Int16Array.from({ length: CHUNK_SAMPLES }, (_, i) => (i < 80 ? (i % 8 < 4 ? 20_000 : -20_000) : 0))
      .buffer,
  );
  const clicksMs: number[] = [];
  const startMs = now();
  for (let i = 0; i * CHUNK_MS < ms; i += 1) {
    const waitMs = startMs + i * CHUNK_MS - now();
    if (waitMs > 0) await sleep(waitMs);
    const clicks = i % CLICK_EVERY_CHUNKS === CLICK_EVERY_CHUNKS - 1;
    if (clicks) clicksMs.push(now());
    player.stdin!.write(clicks ? loud : silence);
  }
  return clicksMs;
}

/** Finds the beginnings of clicks in 16-bit sound, and when they came by. */
class ClickWatch {
  readonly clicksMs: number[] = [];
  #odd: Buffer = Buffer.alloc(0);

  push(bytes: Uint8Array): void {
    const nowMs = now();
    const whole = Buffer.concat([this.#odd, bytes]);
    const even = whole.length & ~1;
    this.#odd = whole.subarray(even);
    for (let at = 0; at < even; at += 2) {
      if (Math.abs(whole.readInt16LE(at)) < LOUD) continue;
      if (nowMs - (this.clicksMs.at(-1) ?? -Infinity) > 100) this.clicksMs.push(nowMs);
      return;
    }
  }
}

function latencies(playedMs: readonly number[], foundMs: readonly number[]): number[] {
  return playedMs.flatMap((played) => {
    const found = foundMs.find((ms) => ms >= played);
    return found !== undefined && found - played < MAX_LATENCY_MS ? [found - played] : [];
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

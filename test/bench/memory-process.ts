import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { wavFile } from '../support/wav.js';
import { muteAgent } from './mute-agent.js';
import { serve } from './processes.js';

const SAMPLE_RATE_HZ = 24_000;

/** What speaking a file took. */
export interface MemoryReport {
  /** The most that the process occupied meanwhile, in MB. */
  readonly peakMb: number;
  readonly heardMs: number;
}

const tasks = {
  /** Speaks a file of that length, on a clock that runs so many times as fast. */
  async speakFile({ minutes, speed }: { minutes: number; speed: number }): Promise<MemoryReport> {
    const folder = await mkdtemp(join(tmpdir(), 'mmdagent-bench-'));
    const path = join(folder, 'long.wav');
    // A file with a hole: as long as it says, and no room taken on the disk.
    const dataBytes = minutes * 60 * SAMPLE_RATE_HZ * 2;
    const file = await open(path, 'w');
    await file.write(wavFile({ sampleRateHz: SAMPLE_RATE_HZ, dataBytes, riffBytes: 36 + dataBytes }));
    await file.truncate(44 + dataBytes);
    await file.close();
    let peakBytes = 0;
    const watch = setInterval(() => (peakBytes = Math.max(peakBytes, process.memoryUsage.rss())), 20);
    try {
      const fast: Clock = {
        nowMs: () => systemClock.nowMs() * speed,
        after: (delayMs, callback) => systemClock.after(delayMs / speed, callback),
      };
      // At such a speed a lead of seconds is a few real milliseconds.
      const { agent } = await muteAgent(fast, { leadMs: 2000 });
      const { heardMs } = await agent.speak(path).finished;
      return { peakMb: peakBytes / 1e6, heardMs };
    } finally {
      clearInterval(watch);
      await rm(folder, { recursive: true });
    }
  },
};

/** What this process can be asked. */
export type MemoryTasks = typeof tasks;

serve(tasks);

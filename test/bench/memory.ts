import type { MemoryReport, MemoryTasks } from './memory-process.js';
import { Companion } from './processes.js';
import type { Bench } from './table.js';

const SPEED = 300;

/** A file is pulled as it is spoken: its length must not show in the memory. */
export const memory: Bench = {
  name: 'memory',
  title: `Memory while a long file is spoken, on a clock that runs ${SPEED} times as fast`,
  async run(quick) {
    const [short, long] = quick ? [1, 3] : [6, 60];
    const brief = await speak(short);
    const hour = await speak(long);
    if (hour.heardMs !== long * 60_000) throw new Error(`Of ${long} min only ${hour.heardMs} ms were heard.`);
    return [
      {
        what: `a WAV of ${long} min, peak of the process`,
        figure: hour.peakMb,
        unit: 'MB',
        baseline: { what: `a WAV of ${short} min`, figure: brief.peakMb },
        aim: 'does not grow',
      },
    ];
  },
};

async function speak(minutes: number): Promise<MemoryReport> {
  const companion = new Companion<MemoryTasks>('memory-process');
  try {
    return await companion.call('speakFile', { minutes, speed: SPEED });
  } finally {
    await companion.close();
  }
}

import type { BridgeTasks } from './bridge-process.js';
import type { EarsTasks } from './ears-process.js';
import { Companion } from './processes.js';
import { quantile } from './statistics.js';
import type { Bench } from './table.js';

/** What marks and cues add to the price of a frame. */
export const extras: Bench = {
  name: 'extras',
  title: 'CPU per frame with delivery marks and with cues, against frames alone',
  async run(quick) {
    const count = quick ? 5 : 100;
    const ms = quick ? 300 : 2000;
    const bridge = new Companion<BridgeTasks>('bridge-process');
    const ears = new Companion<EarsTasks>('ears-process');
    const perFrameUs = async (): Promise<number> =>
      quantile((await bridge.call('measure', { ms, lateness: false })).cpuPerFrameUs, 0.25);
    try {
      const url = await bridge.call('listen', { leadMs: 120 });
      const names = Array.from({ length: count }, (_, i) => `a${i}`);
      await ears.call('connect', { url, group: 'all', names });
      const speech = { spreadMs: quick ? 50 : 500, seconds: (6 * ms) / 1000 + 10 };
      await bridge.call('speak', speech);
      await perFrameUs();
      const [marked, alone]: [number[], number[]] = [[], []];
      for (let round = 0; round < 2; round += 1) {
        await bridge.call('marks', true);
        marked.push(await perFrameUs());
        await bridge.call('marks', false);
        alone.push(await perFrameUs());
      }
      await bridge.call('quiet');
      // A cue of each avatar for every fifth frame: far more than anybody gestures.
      await bridge.call('speak', { ...speech, cueEveryMs: 200 });
      const cued = await perFrameUs();
      const baseline = { what: 'frames alone', figure: Math.min(...alone) };
      return [
        { what: 'four marks a second', figure: Math.min(...marked), unit: 'µs', baseline },
        { what: 'five cues a second and their echoes, without marks', figure: cued, unit: 'µs', baseline },
      ];
    } finally {
      await bridge.close();
      await ears.close();
    }
  },
};

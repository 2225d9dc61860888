import type { BridgeTasks } from './bridge-process.js';
import type { EarsTasks } from './ears-process.js';
import { Companion } from './processes.js';
import { sleep } from './now.js';
import { quantile } from './statistics.js';
import type { Bench, Grid } from './table.js';

const LEADS: readonly (number | 'auto')[] = [40, 60, 120, 250, 500, 'auto'];
const JITTERS_MS = [0, 5, 20, 50];
/** Stalls of the bridge's own process: one such a second, of a random length up to this. */
const STALL_MS = 100;

/** What a lead costs and gives on links and processes that are not perfect. */
export const links: Bench = {
  name: 'links',
  title:
    'Gaps a minute / ms from an interruption to silence (p50), by lead and by what the link or the process does',
  async run(quick) {
    const steady = await measure(quick, 0);
    const stalling = quick ? steady : await measure(quick, STALL_MS);
    return {
      columns: [
        ...JITTERS_MS.map((ms) => (ms === 0 ? 'steady' : `jitter ${ms} ms`)),
        ...JITTERS_MS.map((ms) => `stalls${ms === 0 ? '' : ` + ${ms} ms`}`),
      ],
      lines: LEADS.map((lead) => ({
        what: typeof lead === 'number' ? `lead ${lead} ms` : 'lead auto',
        cells: [...steady.get(lead)!, ...stalling.get(lead)!],
      })),
    } satisfies Grid;
  },
};

async function measure(quick: boolean, stallMs: number): Promise<Map<number | 'auto', string[]>> {
  const each = quick ? 1 : 3;
  const seconds = quick ? 1 : 20;
  const bridge = new Companion<BridgeTasks>('bridge-process');
  const ears = new Companion<EarsTasks>('ears-process');
  try {
    const url = await bridge.call('listen', { leadMs: 'auto' });
    const leads: Record<string, number | 'auto'> = {};
    for (const lead of LEADS) {
      for (const readJitterMs of JITTERS_MS) {
        const group = `${lead}-${readJitterMs}`;
        const names = Array.from({ length: each }, (_, i) => `${group}-${i}`);
        for (const name of names) leads[name] = lead;
        await ears.call('connect', { url, group, names, simulator: { readJitterMs } });
      }
    }
    await bridge.call('speakWithLeads', { leads, seconds: seconds + 20 });
    if (stallMs > 0) await bridge.call('stall', { everyMs: 1000, longestMs: stallMs });
    await sleep(seconds * 1000);
    const calledMs = await bridge.call('interruptEach');
    const table = new Map<number | 'auto', string[]>();
    for (const lead of LEADS) {
      const cells: string[] = [];
      for (const jitterMs of JITTERS_MS) {
        const group = `${lead}-${jitterMs}`;
        const reports = await ears.call('reports', group);
        const gaps = reports.reduce((sum, { gapCount }) => sum + gapCount, 0);
        const silenceMs = reports.map(
          ({ upgradedAtMs, lastSoundAtMs }, i) => upgradedAtMs + lastSoundAtMs! - calledMs[`${group}-${i}`]!,
        );
        const perMinute = (gaps * 60) / (seconds * each);
        cells.push(
          `${perMinute.toFixed(perMinute > 0 && perMinute < 10 ? 1 : 0)} / ${quantile(silenceMs, 0.5).toFixed(0)}`,
        );
      }
      table.set(lead, cells);
    }
    return table;
  } finally {
    await bridge.close();
    await ears.close();
  }
}

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { SimulatorOptions, SimulatorReport } from '../../src/simulator/index.js';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { now, sharedClock } from './now.js';
import { serve } from './processes.js';

/** Simulated avatars to be connected, as one group. */
export interface EarsOptions {
  /** `ws://127.0.0.1:9001/chat` */
  readonly url: string;
  readonly group: string;
  readonly names: readonly string[];
  readonly simulator?: Pick<SimulatorOptions, 'readJitterMs' | 'cardPpm' | 'startLatencyMs'>;
}

/** What a group of simulated avatars has heard, all together. */
export interface EarsSummary {
  readonly gapCount: number;
  readonly faults: number;
  /** How late these avatars themselves were at the worst, in ms: a gap shorter than that may be their own. */
  readonly ownLatenessMs: number;
}

/** What one simulated avatar has to tell. */
export interface EarReport extends SimulatorReport {
  /** On the shared clock, in ms; every other time of the report counts from there. */
  readonly upgradedAtMs: number;
}

interface Ear {
  readonly avatar: SimulatedAvatar;
  upgradedAtMs: number;
}

const RESOLUTION_MS = 5;
const groups = new Map<string, Ear[]>();
const lateness = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

const tasks = {
  /** Resolves when all are ready to speak. */
  async connect({ url, group, names, simulator }: EarsOptions): Promise<void> {
    const ears: Ear[] = [];
    groups.set(group, ears);
    const ready: Promise<void>[] = [];
    for (const name of names) {
      const avatar = new SimulatedAvatar({
        url: `${url}/${name}`,
        record: false,
        audioOpenMs: 0,
        clock: sharedClock,
        ...simulator,
      });
      const ear: Ear = { avatar, upgradedAtMs: NaN };
      ears.push(ear);
      ready.push(
        new Promise((resolve) => {
          avatar.on('state', (state) => {
            if (state === 'starting') ear.upgradedAtMs = now();
            if (state === 'ready') resolve();
          });
        }),
      );
      await avatar.connect();
    }
    await Promise.all(ready);
    lateness.enable();
    lateness.reset();
  },
  /** What a group heard so far, summed up. */
  summary(group: string): EarsSummary {
    const reports = groups.get(group)!.map(({ avatar }) => avatar.report());
    return {
      gapCount: reports.reduce((sum, { gapCount }) => sum + gapCount, 0),
      faults: reports.reduce((sum, { faults }) => sum + faults.length, 0),
      // The histogram counts the whole interval of its timer.
      ownLatenessMs: lateness.max / 1e6 - RESOLUTION_MS,
    };
  },
  /** What each of a group heard so far. */
  reports(group: string): EarReport[] {
    return groups.get(group)!.map(({ avatar, upgradedAtMs }) => ({ ...avatar.report(), upgradedAtMs }));
  },
  /** They vanish. */
  leave(group: string): void {
    for (const { avatar } of groups.get(group) ?? []) avatar.leave();
    groups.delete(group);
  },
};

/** What this process can be asked. */
export type EarsTasks = typeof tasks;

serve(tasks);

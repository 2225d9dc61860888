import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { SimulatorOptions } from '../../src/simulator/index.js';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { sharedClock } from './now.js';
import { serve } from './processes.js';

/** Simulated avatars to be connected, each under a name of its own: `PREFIX0`, `PREFIX1`, … */
export interface EarsOptions {
  /** `ws://127.0.0.1:9001/chat` */
  readonly url: string;
  readonly prefix: string;
  readonly count: number;
  readonly simulator?: Pick<SimulatorOptions, 'readJitterMs' | 'cardPpm' | 'startLatencyMs'>;
}

/** What a group of simulated avatars has heard, all together. */
export interface EarsReport {
  readonly gapCount: number;
  readonly gapMs: number;
  readonly faults: number;
  readonly heardSamples: number;
  /** How late these avatars themselves were at the worst, in ms: a gap shorter than that may be their own. */
  readonly ownLatenessMs: number;
}

const groups = new Map<string, SimulatedAvatar[]>();
const RESOLUTION_MS = 5;
const lateness = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

const tasks = {
  /** Resolves when all are ready to speak. */
  async connect({ url, prefix, count, simulator }: EarsOptions): Promise<void> {
    const avatars: SimulatedAvatar[] = [];
    groups.set(prefix, avatars);
    for (let i = 0; i < count; i += 1) {
      const avatar = new SimulatedAvatar({
        url: `${url}/${prefix}${i}`,
        record: false,
        clock: sharedClock,
        ...simulator,
      });
      avatars.push(avatar);
      const ready = new Promise<void>((resolve) => {
        avatar.on('state', (state) => state === 'ready' && resolve());
      });
      await avatar.connect();
      if (i === count - 1) await ready;
    }
    lateness.enable();
    lateness.reset();
  },
  /** What a group heard so far. */
  report(prefix: string): EarsReport {
    const reports = groups.get(prefix)!.map((avatar) => avatar.report());
    const sum = (pick: (report: (typeof reports)[number]) => number): number =>
      reports.reduce((total, report) => total + pick(report), 0);
    return {
      gapCount: sum(({ gapCount }) => gapCount),
      gapMs: sum(({ gapMs }) => gapMs),
      faults: sum(({ faults }) => faults.length),
      heardSamples: sum(({ samplesHeard }) => samplesHeard),
      // The histogram counts the whole interval of its timer.
      ownLatenessMs: lateness.max / 1e6 - RESOLUTION_MS,
    };
  },
  /** They vanish. */
  leave(prefix: string): void {
    for (const avatar of groups.get(prefix) ?? []) avatar.leave();
    groups.delete(prefix);
  },
};

/** What these processes can be asked. */
export type EarsTasks = typeof tasks;

serve(tasks);

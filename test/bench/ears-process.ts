import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { SimulatorOptions, SimulatorReport } from '../../src/simulator/index.js';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { noise } from '../support/signals.js';
import { now, sharedClock } from './now.js';
import { serve } from './processes.js';

/** Simulated avatars to be connected, as one group. */
export interface EarsOptions {
  /** `ws://127.0.0.1:9001/chat`, or `tcp://127.0.0.1:60001`, where the bridge names them in their order. */
  readonly url: string;
  readonly group: string;
  readonly names: readonly string[];
  /** Keeps what they hear, for `heardWhole`. */
  readonly record?: boolean;
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
  readonly name: string;
  readonly avatar: SimulatedAvatar;
  /** What was heard before this sample has been looked at. */
  searchedTo: number;
  upgradedAtMs: number;
}

const RESOLUTION_MS = 5;
/** A minute: those who ask are no further apart. */
const SEARCH_BACK_SAMPLES = 960_000;
const groups = new Map<string, Ear[]>();
const lateness = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

const tasks = {
  /** Resolves when all are ready to speak. */
  async connect({ url, group, names, record = false, simulator }: EarsOptions): Promise<void> {
    const ears: Ear[] = [];
    groups.set(group, ears);
    const ready: Promise<void>[] = [];
    for (const name of names) {
      const avatar = new SimulatedAvatar({
        url: url.startsWith('tcp:') ? url : `${url}/${name}`,
        record,
        audioOpenMs: 0,
        clock: sharedClock,
        ...simulator,
      });
      const ear: Ear = { name, avatar, searchedTo: 0, upgradedAtMs: NaN };
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
  /**
   * True when an avatar has heard this noise whole, sample by sample and in one piece. Of one avatar, what is asked for
   * comes in about the order in which it was heard.
   */
  heardWhole(asked: {
    name: string;
    seed: number;
    amplitude: number;
    samples: number;
    /** Looks at all that was heard, in any order. */
    everywhere: boolean;
  }): boolean {
    const ear = [...groups.values()].flat().find(({ name }) => name === asked.name)!;
    const heard = ear.avatar.heard();
    const at = find(
      noise(asked.samples, asked.amplitude, asked.seed),
      heard,
      asked.everywhere ? 0 : ear.searchedTo,
    );
    if (at === undefined) return false;
    // Two clients ask about what was spoken one after the other.
    ear.searchedTo = Math.max(ear.searchedTo, at - SEARCH_BACK_SAMPLES);
    return true;
  },
  /** They vanish. */
  leave(group: string): void {
    for (const { avatar } of groups.get(group) ?? []) avatar.leave();
    groups.delete(group);
  },
};

/** @returns where `wanted` lies in `heard`, from a sample on */
function find(wanted: Int16Array, heard: Int16Array, from: number): number | undefined {
  for (let at = heard.indexOf(wanted[0]!, from); at >= 0; at = heard.indexOf(wanted[0]!, at + 1)) {
    let same = 1;
    while (same < wanted.length && wanted[same] === heard[at + same]) same += 1;
    if (same === wanted.length) return at;
  }
  return undefined;
}

/** What this process can be asked. */
export type EarsTasks = typeof tasks;

serve(tasks);

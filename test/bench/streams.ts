import type { BareTasks } from './bare-process.js';
import type { BridgeTasks } from './bridge-process.js';
import type { EarsSummary, EarsTasks } from './ears-process.js';
import type { WindowReport } from './load.js';
import { Companion } from './processes.js';
import { sleep } from './now.js';

/**
 * Who sends: the bridge, with the keeper's records as under `serve`, over plain TCP, or one of the baselines of
 * bare-process.ts.
 */
export type Sender = 'bridge' | 'bridge as served' | 'bridge over TCP' | 'own timers' | 'bare write';

const VIA = { bridge: 'websocket', 'bridge as served': 'keeper', 'bridge over TCP': 'tcp' } as const;

/** What came of one sender and so many simulated avatars. */
export interface StreamsReport {
  /** Frames and CPU while nothing else is looked at. */
  readonly plain: WindowReport;
  /** With the lateness of each frame. */
  readonly timed: WindowReport;
  readonly heard: EarsSummary;
}

/** For a hundred avatars V8 compiles that long beside the speech. */
const WARM_UP_MS = 8000;

const measured = new Map<string, Promise<StreamsReport>>();

/**
 * Has `count` simulated avatars listen to endless speech from one sender, each side in a process of its own. Measured
 * once a run, whoever asks.
 */
export function measureStreams(sender: Sender, count: number, quick: boolean): Promise<StreamsReport> {
  const key = `${sender} ${count}`;
  let report = measured.get(key);
  if (!report) measured.set(key, (report = measure(sender, count, quick)));
  return report;
}

async function measure(sender: Sender, count: number, quick: boolean): Promise<StreamsReport> {
  const windowMs = quick ? 300 : 4000;
  const spreadMs = quick ? 100 : 1000;
  const seconds = Math.ceil((2 * windowMs + spreadMs + WARM_UP_MS) / 1000) + 20;
  const ears = new Companion<EarsTasks>('ears-process');
  const via = sender in VIA ? VIA[sender as keyof typeof VIA] : undefined;
  const bridge = via && new Companion<BridgeTasks>('bridge-process');
  const bare = bridge ? undefined : new Companion<BareTasks>('bare-process');
  const mouth = bridge ?? bare!;
  try {
    const url = bridge
      ? await bridge.call('listen', { via })
      : `ws://127.0.0.1:${await bare!.call('listen')}/chat`;
    const names = Array.from({ length: count }, (_, i) => `a${i}`);
    await ears.call('connect', { url, group: 'all', names });
    const timers = sender === 'own timers' ? 'own' : 'shared';
    await bridge?.call('speak', { spreadMs, seconds });
    await bare?.call('speak', { timers, spreadMs, seconds });
    // A service runs for days: what is compiled on the way has to be warm by then.
    await sleep(quick ? 100 : WARM_UP_MS);
    const plain = await mouth.call('measure', { ms: windowMs, lateness: false });
    const timed = await mouth.call('measure', { ms: windowMs, lateness: true });
    const heard = await ears.call('summary', 'all');
    return { plain, timed, heard };
  } finally {
    await mouth.close();
    await ears.close();
  }
}

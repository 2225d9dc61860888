import type { WindowReport } from './load.js';
import { quantile } from './statistics.js';
import { measureStreams } from './streams.js';
import type { Bench, Row } from './table.js';

/** What a frame costs. */
export const cpu: Bench = {
  name: 'cpu',
  title: 'CPU of the process per frame, against a bare socket.write of the same bytes to as many sockets',
  async run(quick) {
    const rows: Row[] = [];
    for (const count of quick ? [5] : [100, 1000]) {
      const bridge = await measureStreams('bridge', count, quick);
      const bare = await measureStreams('bare write', count, quick);
      rows.push({
        what: `${count} avatars`,
        figure: perFrame(bridge.plain),
        unit: 'µs',
        baseline: { what: 'bare write', figure: perFrame(bare.plain) },
        aim: '<= 1.5x',
      });
    }
    return rows;
  },
};

/** The quiet quarter of the window: what else runs on the machine can only add. */
function perFrame({ cpuPerFrameUs }: WindowReport): number {
  return quantile(cpuPerFrameUs, 0.25);
}

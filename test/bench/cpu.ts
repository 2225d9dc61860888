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
      const bare = await measureStreams('bare write', count, quick);
      const senders = [
        { sender: 'bridge', what: `${count} avatars`, aim: count === 1000 ? '<= 1.6x' : '<= 1.4x' },
        { sender: 'bridge as served', what: `${count} avatars, as served`, aim: '<= 1.7x' },
        { sender: 'bridge over TCP', what: `${count} avatars, over plain TCP`, aim: undefined },
      ] as const;
      for (const { sender, what, aim } of senders) {
        const bridge = await measureStreams(sender, count, quick);
        rows.push({
          what,
          figure: perFrame(bridge.plain),
          unit: 'µs',
          baseline: { what: 'bare write', figure: perFrame(bare.plain) },
          aim,
        });
      }
    }
    return rows;
  },
};

/** The quiet quarter of the window: what else runs on the machine can only add. */
function perFrame({ cpuPerFrameUs }: WindowReport): number {
  return quantile(cpuPerFrameUs, 0.25);
}

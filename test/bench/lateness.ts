import { spread } from './statistics.js';
import { measureStreams } from './streams.js';
import type { Bench, Row } from './table.js';

/** How late frames leave, and whether the avatars hear it. */
export const lateness: Bench = {
  name: 'lateness',
  title: 'Lateness of frames, against a timer of its own for each avatar',
  async run(quick) {
    const rows: Row[] = [];
    for (const count of quick ? [5] : [1, 100, 1000]) {
      const bridge = await measureStreams('bridge', count, quick);
      const naive = await measureStreams('own timers', count, quick);
      const ours = spread(bridge.timed.latenessMs);
      const theirs = spread(naive.timed.latenessMs);
      const avatars = count === 1 ? '1 avatar' : `${count} avatars`;
      for (const key of ['p50', 'p99', 'max'] as const) {
        rows.push({
          what: `${avatars}, ${key}`,
          figure: ours[key],
          unit: 'ms',
          baseline: { what: 'own timers', figure: theirs[key] },
          ...(count === 100 && key === 'p99' && { aim: '< 3 ms' }),
        });
      }
      rows.push(
        {
          what: `${avatars}, gaps heard`,
          figure: bridge.heard.gapCount,
          unit: 'gaps',
          baseline: { what: 'own timers', figure: naive.heard.gapCount },
          aim: 'none',
        },
        {
          what: `${avatars}, the simulators’ own lateness at worst`,
          figure: bridge.heard.ownLatenessMs,
          unit: 'ms',
          baseline: { what: 'own timers', figure: naive.heard.ownLatenessMs },
        },
      );
    }
    const tcp = await measureStreams('bridge over TCP', quick ? 5 : 100, quick);
    const late = spread(tcp.timed.latenessMs);
    const avatars = `${quick ? 5 : 100} avatars over plain TCP`;
    rows.push(
      ...(['p50', 'p99', 'max'] as const).map((key) => ({
        what: `${avatars}, ${key}`,
        figure: late[key],
        unit: 'ms',
      })),
      { what: `${avatars}, gaps heard`, figure: tcp.heard.gapCount, unit: 'gaps', aim: 'none' },
    );
    return rows;
  },
};

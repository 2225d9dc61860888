import { msToSamples } from '../../src/base/units.js';
import type { EarReport } from './ears-process.js';
import { openLab } from './lab.js';
import { LEAD_MS, speechLikeNoise } from './load.js';
import { spread } from './statistics.js';
import type { Bench } from './table.js';

/** What the simulated avatars are told to take from a sample's turn to its sound (protocol.md §4: 37 to 58). */
const START_LATENCY_MS = 48;
/** A prime, so that cues fall everywhere within frames and slots. */
const EVERY_MS = 97;

/** How well commands meet the sample that they belong to. */
export const cues: Bench = {
  name: 'cues',
  title:
    'Cues: from the moment their sample is due by the simulated avatar’s ear to the moment they arrive, earlier or later',
  async run(quick) {
    const seconds = quick ? 1 : 15;
    const times = Array.from(
      { length: Math.floor((seconds * 1000) / EVERY_MS) - 1 },
      (_, i) => (i + 1) * EVERY_MS,
    );
    const sound = speechLikeNoise(seconds);
    const lab = await openLab({ leadMs: LEAD_MS });
    try {
      const simulator = { startLatencyMs: START_LATENCY_MS };
      const ours = await lab.connect('ours', simulator);
      const naive = await lab.connect('naive', simulator);
      const speech = ours.speak(sound, {
        sampleRateHz: 16_000,
        cues: times.map((atMs) => ({ atMs, send: `CUE|${atMs}` })),
      });
      // The usual way: a command goes out with the frame that holds its sample.
      const waiting = [...times];
      let sent = 0;
      const other = naive.speak(sound, { sampleRateHz: 16_000 });
      other.on('sent', ({ samples }) => {
        sent += samples.length;
        while (waiting.length > 0 && msToSamples(waiting[0]!) < sent)
          void naive.send(`CUE|${waiting.shift()}`);
      });
      await Promise.all([speech.finished, other.finished]);
      const [oursSpread, naiveSpread] = await Promise.all(
        ['ours', 'naive'].map(async (name) => spread(errors((await lab.ears.call('reports', name))[0]!))),
      );
      if (oursSpread!.count !== times.length)
        throw new Error(`Of ${times.length} cues ${oursSpread!.count} arrived.`);
      return (['p50', 'p99', 'max'] as const).map((key) => ({
        what: key,
        figure: oursSpread![key],
        unit: 'ms',
        baseline: { what: 'sent with their frame', figure: naiveSpread![key] },
        ...(key === 'p99' && { aim: '< 10 ms' }),
      }));
    } finally {
      await lab.close();
    }
  },
};

function errors({ commands, segments }: EarReport): number[] {
  const turnOfFirstMs = segments[0]!.heardFromMs! - START_LATENCY_MS;
  return commands.flatMap(({ line, atMs }) => {
    const cue = /^CUE\|(\d+)$/.exec(line);
    return cue ? [Math.abs(atMs - (turnOfFirstMs + Number(cue[1])))] : [];
  });
}

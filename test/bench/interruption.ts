import { encodeFrame } from '../../src/agent/wire.js';
import { unitBytes } from '../support/unit-bytes.js';
import { openLab } from './lab.js';
import { LEAD_MS, speechLikeNoise } from './load.js';
import { loopback } from './loopback.js';
import { now, sleep } from './now.js';
import { spread } from './statistics.js';
import type { Bench, Row } from './table.js';

/** How soon an interruption stops the bytes, and the sound. */
export const interruption: Bench = {
  name: 'interruption',
  title: 'From the call of interrupt() to the last byte, and to silence at the simulated avatar',
  async run(quick) {
    return [...(await measure(quick, 'websocket')), ...(await measure(quick, 'tcp'))];
  },
};

async function measure(quick: boolean, transport: 'websocket' | 'tcp'): Promise<Row[]> {
  const lab = await openLab({ leadMs: LEAD_MS, tcpListen: transport === 'tcp' ? ['0=a'] : [] });
  const socket = await loopback();
  try {
    const agent = await lab.connect('a');
    const sound = speechLikeNoise(4);
    const calledMs: number[] = [];
    const workMs: number[] = [];
    const bareMs: number[] = [];
    for (let i = 0; i < (quick ? 3 : 30); i += 1) {
      const speech = agent.speak(sound, { sampleRateHz: 16_000 });
      await speech.started;
      // Every phase of a frame, the same in every run.
      await sleep(100 + ((i * 7) % 40));
      const callMs = now();
      // All that is left to send has been handed over when the call returns.
      const interrupted = agent.interrupt();
      workMs.push(now() - callMs);
      calledMs.push(callMs);
      await interrupted;
      bareMs.push(bareEnd(socket.write, sound));
    }
    const [report] = await lab.ears.call('reports', 'a');
    const silenceMs = report!.segments.map(
      ({ heardUntilMs }, i) => report!.upgradedAtMs + heardUntilMs! - calledMs[i]!,
    );
    const over = transport === 'tcp' ? ', over plain TCP' : '';
    return rows(workMs, bareMs, silenceMs).map((row) => ({ ...row, what: row.what + over }));
  } finally {
    socket.close();
    await lab.close();
  }
}

/** The same bytes as at an interruption, written bare: a faded end, its padding, the end of the segment. */
function bareEnd(write: (bytes: Uint8Array) => void, sound: Int16Array): number {
  const startMs = now();
  write(unitBytes(encodeFrame(sound.subarray(0, 240))));
  write(unitBytes(encodeFrame(sound.subarray(0, 144))));
  write(Buffer.from('SNDBRKS\n'));
  return now() - startMs;
}

function rows(workMs: number[], bareMs: number[], silenceMs: number[]): Row[] {
  const [work, bare, silence] = [spread(workMs), spread(bareMs), spread(silenceMs)];
  return (['p50', 'p99'] as const).flatMap((key) => [
    {
      what: `call to last byte, ${key}`,
      figure: work[key],
      unit: 'ms',
      baseline: { what: 'bare writes', figure: bare[key] },
      aim: '< 2 ms',
    },
    {
      what: `call to silence, ${key}`,
      figure: silence[key],
      unit: 'ms',
      baseline: { what: 'the lead', figure: LEAD_MS },
      aim: '<= lead + 80 ms',
    },
  ]);
}

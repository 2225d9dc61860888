import { ByteBudget } from '../../src/base/byte-budget.js';
import type { Sound } from '../../src/audio/pcm.js';
import { silentLogger } from '../../src/base/logger.js';
import { samplesToMs } from '../../src/base/units.js';
import { Playback } from '../../src/simulator/index.js';
import { AdaptiveLead } from '../../src/speech/lead.js';
import { Player } from '../../src/speech/player.js';
import type { FrameSink } from '../../src/speech/sink.js';
import { TimerWheel } from '../../src/speech/timer-wheel.js';
import { FakeClock } from '../support/fake-clock.js';
import { openLab } from './lab.js';
import { LEAD_MS, speechLikeNoise } from './load.js';
import { now, sleep } from './now.js';
import { spread } from './statistics.js';
import type { Bench, Row } from './table.js';

/** How far the position that the bridge tells is from what the avatar plays. */
export const position: Bench = {
  name: 'position',
  title:
    'Position told against what the simulated avatar has really played, and how far the samples sent would be off',
  async run(quick) {
    const minutes = quick ? 1 : 60;
    return [
      ...(await simulated(minutes, 0)),
      // Measured on a real sound card (protocol.md §4). Nothing tells the bridge of it, so it adds up.
      ...(await simulated(minutes, 28)),
      ...(await real(quick ? 1000 : 10_000)),
    ];
  },
};

async function simulated(minutes: number, cardPpm: number): Promise<Row[]> {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const sinceStart = (): number => clock.nowMs() - startMs;
  const playback = new Playback({ cardPpm, maxRecordMs: 0 });
  let sentSamples = 0;
  const sink: FrameSink = {
    prepare: () => Promise.resolve(),
    frame: (samples) => {
      sentSamples += samples.length;
      playback.push(samples, sinceStart());
    },
    endSegment: () => void playback.endSegment(sinceStart()),
    command: () => undefined,
    onMessage: () => () => undefined,
    readSamples: undefined,
    get sentSamples() {
      return sentSamples;
    },
    playsUntilMs: -Infinity,
    stalled: false,
    hearing: 'confirmed',
  };
  const player = new Player({
    agentName: 'default',
    budget: new ByteBudget(1e8),
    sink,
    wheel: new TimerWheel(clock),
    clock,
    logger: silentLogger,
    frameMs: 40,
    lead: LEAD_MS,
    autoLead: new AdaptiveLead(),
    maxQueued: 1,
    bufferMs: 2000,
    stallTimeoutMs: 30_000,
    checkCommand: () => undefined,
    nextId: () => 's',
  });
  const speech = player.speak(longSound(minutes));
  const [told, sent]: [number[], number[]] = [[], []];
  for (let elapsedMs = 0; elapsedMs < minutes * 60_000 - 2000; elapsedMs += 1000) {
    await clock.advance(1000);
    playback.advance(sinceStart());
    const heardMs = samplesToMs(playback.heardSamples) - (playback.lastSoundMs! - sinceStart());
    told.push(Math.abs(speech.positionMs - heardMs));
    sent.push(Math.abs(samplesToMs(sentSamples) - heardMs));
  }
  player.close();
  const card = cardPpm === 0 ? 'card in step' : `card ${cardPpm} ppm fast`;
  return rows(`${minutes} min on a simulated clock, ${card}`, told, sent);
}

/** Ten seconds over a real socket. */
async function real(ms: number): Promise<Row[]> {
  const lab = await openLab({ leadMs: LEAD_MS });
  try {
    const agent = await lab.connect('a');
    const speech = agent.speak(speechLikeNoise(ms / 1000 + 1), { sampleRateHz: 16_000 });
    await speech.started;
    const samples: { atMs: number; toldMs: number; sentMs: number }[] = [];
    for (const untilMs = now() + ms - 500; now() < untilMs; await sleep(50)) {
      samples.push({ atMs: now(), toldMs: speech.positionMs, sentMs: samplesToMs(agent.sent.samples) });
    }
    await speech.finished;
    const [report] = await lab.ears.call('reports', 'a');
    const heardFromMs = report!.upgradedAtMs + report!.segments[0]!.heardFromMs!;
    const off = (pick: (sample: (typeof samples)[number]) => number): number[] =>
      samples.map((sample) => Math.abs(pick(sample) - (sample.atMs - heardFromMs)));
    return rows(
      `${ms / 1000} s over a socket${report!.gapCount > 0 ? ' (with gaps)' : ''}`,
      off(({ toldMs }) => toldMs),
      off(({ sentMs }) => sentMs),
    );
  } finally {
    await lab.close();
  }
}

function rows(what: string, told: readonly number[], sent: readonly number[]): Row[] {
  const [ours, theirs] = [spread(told), spread(sent)];
  return (['p50', 'max'] as const).map((key) => ({
    what: `${what}, ${key}`,
    figure: ours[key],
    unit: 'ms',
    baseline: { what: 'samples sent', figure: theirs[key] },
  }));
}

function longSound(minutes: number): Sound {
  const second = speechLikeNoise(1);
  return {
    label: 'a long sound',
    live: false,
    async *open() {
      for (let i = 0; i < minutes * 60; i += 1) {
        await Promise.resolve();
        yield { samples: second, sampleRateHz: 16_000, channels: 1 };
      }
    },
  };
}

import type { Agent } from '../../src/agent/agent.js';
import { encodeFrame } from '../../src/agent/wire.js';
import { unitBytes } from '../support/unit-bytes.js';
import { wavOf } from '../support/wav.js';
import { encodedSounds } from './formats.js';
import { openLab } from './lab.js';
import { speechLikeNoise } from './load.js';
import { loopback } from './loopback.js';
import { now, sleep } from './now.js';
import { quantile, spread } from './statistics.js';
import type { Bench, Row } from './table.js';

const SECONDS = 1;
const CHUNK_MS = 20;

/** How long the first sound takes through the bridge when the avatar is ready. */
export const firstFrame: Bench = {
  name: 'first-frame',
  title:
    'First byte in to first frame out, the avatar being ready: a stream that is there, and streams at their own pace',
  async run(quick) {
    const lab = await openLab();
    try {
      const agent = await lab.connect('a');
      return [...(await atOnce(agent, quick ? 5 : 60)), ...(await atItsPace(agent, quick ? 1 : 7))];
    } finally {
      await lab.close();
    }
  },
};

/** All bytes are there: what is left is the bridge's own time. */
async function atOnce(agent: Agent, rounds: number): Promise<Row[]> {
  const socket = await loopback();
  const sound = speechLikeNoise(1);
  const wav = wavOf(sound, 16_000);
  const spoken: number[] = [];
  const bare: number[] = [];
  for (let i = 0; i < rounds; i += 1) {
    spoken.push(await firstFrameAfterMs(agent, [wav]));
    const startMs = now();
    socket.write(unitBytes(encodeFrame(sound.subarray(0, 640))));
    bare.push(now() - startMs);
  }
  socket.close();
  const [ours, theirs] = [spread(spoken), spread(bare)];
  return (['p50', 'p99'] as const).map((key) => ({
    what: `WAV, all there, ${key}`,
    figure: ours[key],
    unit: 'ms',
    baseline: { what: 'bare write', figure: theirs[key] },
  }));
}

/** The bytes come as fast as the sound plays: the lead is gathered first, so that no gap follows. */
async function atItsPace(agent: Agent, rounds: number): Promise<Row[]> {
  const median = async (bytes: Uint8Array, format?: string): Promise<number> => {
    const chunkBytes = Math.ceil((bytes.length / SECONDS / 1000) * CHUNK_MS);
    const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, i) =>
      bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes),
    );
    const all: number[] = [];
    for (let i = 0; i < rounds; i += 1) all.push(await firstFrameAfterMs(agent, chunks, format));
    return quantile(all, 0.5);
  };
  const bare = await median(new Uint8Array(speechLikeNoise(SECONDS).buffer), 's16le:16000:1');
  const rows: Row[] = [];
  for (const { name, bytes } of await encodedSounds(SECONDS)) {
    rows.push({
      what: `${name}, at its pace, p50`,
      figure: await median(bytes),
      unit: 'ms',
      baseline: { what: 'the avatar’s own format', figure: bare },
    });
  }
  return rows;
}

async function firstFrameAfterMs(
  agent: Agent,
  chunks: readonly Uint8Array[],
  format?: string,
): Promise<number> {
  let firstByteMs = NaN;
  async function* stream(): AsyncGenerator<Uint8Array> {
    await Promise.resolve();
    firstByteMs = now();
    for (const [i, chunk] of chunks.entries()) {
      const waitMs = firstByteMs + i * CHUNK_MS - now();
      if (waitMs > 0) await sleep(waitMs);
      yield chunk;
    }
  }
  const speech = agent.speak(stream(), { when: 'interrupt', format });
  const sent = new Promise<number>((resolve) => speech.on('sent', () => resolve(now())));
  const afterMs = (await sent) - firstByteMs;
  await speech.stop();
  return afterMs;
}

import { once } from 'node:events';
import { request } from 'node:http';
import { WebSocket } from 'ws';
import { findProgram } from '../../src/base/child.js';
import { startNats } from '../cluster/support/nats-server.js';
import { wavOf } from '../support/wav.js';
import type { EarsTasks } from './ears-process.js';
import { speechLikeNoise } from './load.js';
import { now, sleep } from './now.js';
import { Companion } from './processes.js';
import type { ServiceTasks } from './service-process.js';
import { spread } from './statistics.js';
import type { Bench, Row } from './table.js';

const RAW = 's16le:16000:1';
const FRAME_BYTES = 1280;
const FRAME_MS = 40;

/** What it costs that an agent is on another node: caller, NATS server and player are processes of this machine. */
export const nodes: Bench = {
  name: 'nodes',
  title: 'An agent of another node over NATS: first frame, interruption, CPU, many streams at once',
  async run(quick) {
    if ((await findProgram('nats-server')) === undefined) return 'there is no nats-server';
    const nats = await startNats();
    const [hub, kyoto] = [
      new Companion<ServiceTasks>('service-process'),
      new Companion<ServiceTasks>('service-process'),
    ];
    const ears = new Companion<EarsTasks>('ears-process');
    try {
      const count = quick ? 5 : 500;
      const limits = { maxStreams: 1000, maxUploads: 1000 };
      const [hubPort, port] = await Promise.all([
        hub.call('listenAs', { nats: nats.url, node: 'hub', limits }),
        kyoto.call('listenAs', { nats: nats.url, node: 'kyoto', limits }),
      ]);
      const names = Array.from({ length: count }, (_, i) => `a${i}`);
      await ears.call('connect', { url: `ws://127.0.0.1:${port}/chat`, group: 'one', names: ['one'] });
      await ears.call('connect', { url: `ws://127.0.0.1:${port}/chat`, group: 'all', names });
      await kyoto.call('ready', ['one', ...names]);
      await listed(hubPort, count + 1);
      const rounds = quick ? 3 : 60;
      const times = [await reactions(ears, port, rounds), await reactions(ears, hubPort, rounds)] as const;
      return [
        ...compared(...times),
        ...(await manyStreams({ hub, kyoto, ears, hubPort, port, names, quick })),
      ];
    } finally {
      await Promise.all([hub.close(), kyoto.close(), ears.close()]);
      await nats.close();
    }
  },
};

interface Reactions {
  readonly firstFrame: number[];
  readonly silence: number[];
}

/** From a request to the first frame at the avatar, and from another one to its last. */
async function reactions(ears: Companion<EarsTasks>, port: number, rounds: number): Promise<Reactions> {
  const report = async () => (await ears.call('reports', 'one'))[0]!;
  const begun = async (segments: number): Promise<Awaited<ReturnType<typeof report>>> => {
    for (;;) {
      const told = await report();
      if (told.segments.length > segments) return told;
      await sleep(5);
    }
  };
  const body = wavOf(speechLikeNoise(10), 16_000);
  const times: Reactions = { firstFrame: [], silence: [] };
  for (let round = 0; round < rounds; round += 1) {
    const { length } = (await report()).segments;
    const startMs = now();
    await ask(port, 'POST', '/api/agents/one/speeches?wait=started', body);
    const { upgradedAtMs, segments } = await begun(length);
    times.firstFrame.push(upgradedAtMs + segments.at(-1)!.firstFrameMs - startMs);
    await sleep(100 + 7 * (round % 6));
    const stopMs = now();
    await ask(port, 'POST', '/api/agents/one/interrupt');
    const { lastSoundAtMs } = await report();
    times.silence.push(upgradedAtMs + lastSoundAtMs! - stopMs);
  }
  return times;
}

function compared(local: Reactions, remote: Reactions): Row[] {
  const row = (what: string, key: keyof Reactions, quantile: 'p50' | 'p99'): Row => ({
    what: `${what}, ${quantile}`,
    figure: spread(remote[key])[quantile],
    unit: 'ms',
    baseline: { what: 'local', figure: spread(local[key])[quantile] },
    ...(quantile === 'p50' && { aim: '<= 3 ms more' }),
  });
  return [
    row('request to first frame', 'firstFrame', 'p50'),
    row('request to first frame', 'firstFrame', 'p99'),
    row('interruption to silence', 'silence', 'p50'),
    row('interruption to silence', 'silence', 'p99'),
  ];
}

interface Crowd {
  readonly hub: Companion<ServiceTasks>;
  readonly kyoto: Companion<ServiceTasks>;
  readonly ears: Companion<EarsTasks>;
  readonly hubPort: number;
  readonly port: number;
  readonly names: readonly string[];
  readonly quick: boolean;
}

/** Sound in its own time over as many streams, by each way; and all of them at once over NATS. */
async function manyStreams({ hub, kyoto, ears, hubPort, port, names, quick }: Crowd): Promise<Row[]> {
  const some = names.slice(0, 50);
  const perStream = async (at: number, agents: readonly string[]): Promise<number[]> => {
    const talk = await openAll(at, agents);
    await sleep(quick ? 300 : 4000);
    const ms = quick ? 300 : 5000;
    const [hubMs, kyotoMs] = await Promise.all([hub.call('cpuMs', ms), kyoto.call('cpuMs', ms)]);
    const failed = talk.end();
    await kyoto.call('quiet');
    return [...[hubMs, kyotoMs].map((cpuMs) => (100 * cpuMs) / ms / agents.length), failed];
  };
  const [, localPlayer] = await perStream(port, some);
  const [caller, player] = await perStream(hubPort, some);
  const before = await ears.call('summary', 'all');
  const [crowdCaller, crowdPlayer, crowdFailed] = await perStream(hubPort, names);
  const after = await ears.call('summary', 'all');
  return [
    {
      what: `CPU per remote stream, caller and player, ${some.length} streams`,
      figure: caller! + player!,
      unit: '% of a core',
      baseline: { what: 'local', figure: localPlayer! },
    },
    {
      what: `CPU per remote stream, caller alone, ${some.length} streams`,
      figure: caller!,
      unit: '% of a core',
    },
    {
      what: `${names.length} remote streams at once: CPU of caller and player`,
      figure: (crowdCaller! + crowdPlayer!) * names.length,
      unit: '% of a core',
    },
    {
      what: `${names.length} remote streams at once: gaps`,
      figure: after.gapCount - before.gapCount,
      unit: 'gaps',
    },
    {
      what: `${names.length} remote streams at once: ended early`,
      figure: crowdFailed!,
      unit: 'streams',
      aim: '0',
    },
  ];
}

/** Streams that send a frame every 40 ms, as programs that make sound as they go do. */
async function openAll(port: number, names: readonly string[]): Promise<{ end(): number }> {
  const sound = Buffer.from(speechLikeNoise(2).buffer);
  const refused: unknown[] = [];
  const sockets = await Promise.all(
    names.map(async (name) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/api/agents/${name}/stream`);
      socket.on('error', () => undefined);
      socket.on('message', (data: Buffer) => {
        const told = JSON.parse(data.toString()) as { type: string };
        if (told.type === 'error' || told.type === 'ended') refused.push(told);
      });
      await once(socket, 'open');
      socket.send(JSON.stringify({ type: 'start', format: RAW, leadMs: 400 }));
      // What is ahead keeps the bench's own lateness from being counted.
      socket.send(sound.subarray(0, 16 * FRAME_BYTES));
      return socket;
    }),
  );
  let at = 0;
  let dueMs = now();
  const timer = setInterval(() => {
    for (; dueMs < now(); dueMs += FRAME_MS) {
      at = (at + FRAME_BYTES) % (sound.length - FRAME_BYTES);
      for (const socket of sockets) socket.send(sound.subarray(at, at + FRAME_BYTES));
    }
  }, FRAME_MS / 2);
  return {
    end() {
      clearInterval(timer);
      for (const socket of sockets) socket.terminate();
      return refused.length;
    },
  };
}

async function listed(port: number, count: number): Promise<void> {
  for (;;) {
    const { agents } = JSON.parse(await ask(port, 'GET', '/api/agents')) as { agents: { state: string }[] };
    if (agents.filter(({ state }) => state === 'ready').length >= count) return;
    await sleep(20);
  }
}

async function ask(port: number, method: string, path: string, body?: Uint8Array): Promise<string> {
  const asked = request({ host: '127.0.0.1', port, method, path, agent: false });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [NodeJS.ReadableStream];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return text;
}

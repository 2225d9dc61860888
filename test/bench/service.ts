import { once } from 'node:events';
import { type ClientRequest, request } from 'node:http';
import { WebSocket } from 'ws';
import { wavOf } from '../support/wav.js';
import type { EarsTasks } from './ears-process.js';
import { speechLikeNoise } from './load.js';
import { now, sleep } from './now.js';
import { Companion } from './processes.js';
import type { ServiceTasks } from './service-process.js';
import { spread } from './statistics.js';
import type { Bench, Row } from './table.js';

const RAW = 's16le:16000:1';
const SECOND_BYTES = 32_000;

/** What the way over the API costs, against the library that it stands on. */
export const service: Bench = {
  name: 'service',
  title:
    'The API: first byte of an upload to first frame at the avatar, CPU per frame, memory per open stream',
  async run(quick) {
    const [here, ears] = [
      new Companion<ServiceTasks>('service-process'),
      new Companion<EarsTasks>('ears-process'),
    ];
    try {
      const port = await here.call('listen');
      const names = Array.from({ length: quick ? 2 : 50 }, (_, i) => `a${i}`);
      const url = `ws://127.0.0.1:${port}/chat`;
      for (const name of names) await ears.call('connect', { url, group: name, names: [name] });
      await here.call('ready', names);
      return [
        ...(await firstFrames({ here, ears, port, name: names[0]!, rounds: quick ? 3 : 60 })),
        ...(await cpuPerFrame(here, port, names, quick ? [200, 300] : [1500, 6000])),
        ...(await memoryPerStream(here, port, quick ? 10 : 200)),
      ];
    } finally {
      await ears.close();
      await here.close();
    }
  },
};

interface Place {
  readonly here: Companion<ServiceTasks>;
  readonly ears: Companion<EarsTasks>;
  readonly port: number;
  readonly name: string;
  readonly rounds: number;
}

/** A request of its own each time, as curl makes it: the connection is part of the time. */
async function firstFrames({ here, ears, port, name, rounds }: Place): Promise<Row[]> {
  const bytes = wavOf(speechLikeNoise(1).subarray(0, 3200), 16_000);
  const arrived = async (): Promise<number> => {
    const [report] = await ears.call('reports', name);
    return report!.upgradedAtMs + report!.segments.at(-1)!.firstFrameMs;
  };
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < rounds; i += 1) {
    const startMs = now();
    const upload = post(port, `${name}/speeches?wait=finished`);
    upload.end(bytes);
    await answered(upload);
    ours.push((await arrived()) - startMs);
    const givenMs = await here.call('speakHere', { name, bytes });
    theirs.push((await arrived()) - givenMs);
  }
  const [api, library] = [spread(ours), spread(theirs)];
  return (['p50', 'p99'] as const).map((key) => ({
    what: `first byte to first frame, ${key}`,
    figure: api[key],
    unit: 'ms',
    baseline: { what: 'the library', figure: library[key] },
  }));
}

/** The same bytes to as many avatars by each way, taken in as they are played. */
async function cpuPerFrame(
  here: Companion<ServiceTasks>,
  port: number,
  names: readonly string[],
  [warmUpMs, ms]: readonly [number, number],
): Promise<Row[]> {
  const seconds = Math.ceil(ms / 1000) + 6;
  const bytes = Buffer.from(speechLikeNoise(seconds).buffer);
  const measured = async (): Promise<number> => {
    await sleep(warmUpMs);
    const cpuUs = await here.call('cpuPerFrameUs', ms);
    await here.call('quiet');
    return cpuUs;
  };
  await here.call('feedHere', { names, seconds });
  const library = await measured();
  for (const name of names) {
    const upload = post(port, `${name}/speeches?format=${RAW}`);
    upload.end(bytes);
    void answered(upload).catch(() => undefined);
  }
  const upload = await measured();
  const streams = await Promise.all(names.map((name) => openStream(port, name)));
  for (const stream of streams) void sendAll(stream, bytes);
  const stream = await measured();
  for (const each of streams) each.terminate();
  return [
    { what: 'an upload', figure: upload },
    { what: 'a stream', figure: stream },
  ].map(({ what, figure }) => ({
    what: `CPU per frame, ${what} to each of ${names.length}`,
    figure,
    unit: 'µs',
    baseline: { what: 'the library', figure: library },
  }));
}

/** With nothing on it, and with a speech that waits for its turn, as far as the service lets it be sent. */
async function memoryPerStream(here: Companion<ServiceTasks>, port: number, count: number): Promise<Row[]> {
  const perStream = async (open: () => Promise<WebSocket>): Promise<[number, WebSocket[]]> => {
    // The first one brings what all of them share.
    const sockets = [await open()];
    const before = await here.call('heldBytes');
    for (let i = 0; i < count; i += 1) sockets.push(await open());
    await sleep(500);
    const after = await here.call('heldBytes');
    return [(after - before) / count / 1024, sockets];
  };
  const barePort = await here.call('listenBare');
  const [bare, bareSockets] = await perStream(() => opened(new WebSocket(`ws://127.0.0.1:${barePort}/`)));
  const [idle, idleSockets] = await perStream(() => openStream(port, 'a0'));
  for (const socket of [...bareSockets, ...idleSockets]) socket.terminate();
  await sleep(500);
  const sound = Buffer.from(speechLikeNoise(3).buffer);
  let agent = 0;
  const [waiting, sockets] = await perStream(async () => {
    const socket = await openStream(port, `nobody-${(agent += 1)}`);
    void sendAll(socket, sound);
    return socket;
  });
  for (const socket of sockets) socket.terminate();
  return [
    {
      what: 'an open stream',
      figure: idle,
      unit: 'KB',
      baseline: { what: 'a bare WebSocket', figure: bare },
    },
    {
      what: 'a stream whose 3 s of sound wait',
      figure: waiting,
      unit: 'KB',
      baseline: { what: 'the sound', figure: (3 * SECOND_BYTES) / 1024 },
    },
  ];
}

function post(port: number, path: string): ClientRequest {
  return request({ port, host: '127.0.0.1', method: 'POST', path: `/api/agents/${path}`, agent: false });
}

async function answered(upload: ClientRequest): Promise<void> {
  const [response] = (await once(upload, 'response')) as [NodeJS.ReadableStream];
  response.resume();
  await once(response, 'end');
}

async function opened(socket: WebSocket): Promise<WebSocket> {
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

function openStream(port: number, name: string): Promise<WebSocket> {
  return opened(new WebSocket(`ws://127.0.0.1:${port}/api/agents/${name}/stream`));
}

/** Sends a sound as a well-behaved client does: it waits when it is asked to. */
async function sendAll(socket: WebSocket, bytes: Buffer): Promise<void> {
  const flow = { paused: false, resumed: (): void => undefined };
  socket.on('message', (data: Buffer) => {
    const { type } = JSON.parse(data.toString()) as { type: string };
    if (type === 'pause') flow.paused = true;
    if (type !== 'resume') return;
    flow.paused = false;
    flow.resumed();
  });
  socket.send(JSON.stringify({ type: 'start', format: RAW }));
  for (let at = 0; at < bytes.length && socket.readyState === WebSocket.OPEN; at += 8192) {
    if (flow.paused) await new Promise<void>((resolve) => (flow.resumed = resolve));
    socket.send(bytes.subarray(at, at + 8192));
    // What it is told comes in between.
    if (at % 65_536 === 0) await sleep(1);
  }
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'end' }));
}

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WebSocketServer } from 'ws';
import { openBridge, type BridgeHandle } from '../../src/bridge.js';
import type { ServiceLimits } from '../../src/service/limits.js';
import { attachService } from '../../src/service/service.js';
import { LEAD_MS, speechLikeNoise, watchWindow } from './load.js';
import { sharedClock, sleep } from './now.js';
import { serve } from './processes.js';
import { quantile } from './statistics.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Of one read of a socket. */
const CHUNK_BYTES = 64 * 1024;

let bridge: BridgeHandle;

const tasks = {
  /** Starts a bridge with its API. @returns the port it listens on */
  async listen(): Promise<number> {
    bridge = await openBridge({ port: 0, firstSoundMs: 0, leadMs: LEAD_MS, clock: sharedClock });
    await attachService(bridge);
    return bridge.address.port;
  },
  /** Starts a bridge with its API as a node. @returns the port it listens on */
  async listenAs({
    nats,
    node,
    limits,
  }: {
    nats: string;
    node: string;
    limits: Partial<ServiceLimits>;
  }): Promise<number> {
    const joined = { nats: [nats], node };
    bridge = await openBridge({ port: 0, firstSoundMs: 0, leadMs: LEAD_MS, clock: sharedClock, ...joined });
    await attachService(bridge, { limits });
    return bridge.address.port;
  },
  /** CPU time of this process in a stretch of time, in ms. */
  async cpuMs(ms: number): Promise<number> {
    const before = process.cpuUsage();
    await sleep(ms);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  },
  /** Starts a server that takes WebSockets and does nothing with them. @returns its port */
  async listenBare(): Promise<number> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    server.on('connection', (socket) => socket.on('message', () => undefined));
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
  /** Settles when all of them can speak. */
  async ready(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => bridge.agent(name).whenReady()));
  },
  /** Speaks a file's bytes without the API. @returns when its first byte was given, on the shared clock */
  async speakHere({ name, bytes }: { name: string; bytes: Uint8Array }): Promise<number> {
    let firstByteMs = NaN;

    async function* given(): AsyncGenerator<Uint8Array> {
      firstByteMs = sharedClock.nowMs();
      yield bytes;
    }
    await bridge.agent(name).speak(given()).finished;
    return firstByteMs;
  },
  /** Has agents speak headerless sound that comes in pieces, without the API. */
  feedHere({ names, seconds }: { names: readonly string[]; seconds: number }): void {
    const bytes = new Uint8Array(speechLikeNoise(seconds).buffer);

    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
    }
    for (const name of names) bridge.agent(name).speak(pieces(), { format: 's16le:16000:1' });
  },
  /** CPU of this process per frame, in µs: the quiet quarter of a window. */
  async cpuPerFrameUs(ms: number): Promise<number> {
    const agents = bridge.agents();
    const frames = (): number => agents.reduce((sum, { sent }) => sum + sent.frames, 0);
    const { cpuPerFrameUs } = await watchWindow({ ms, lateness: false }, frames, []);
    return quantile(cpuPerFrameUs.filter(Number.isFinite), 0.25);
  },
  /** Ends every speech. */
  async quiet(): Promise<void> {
    await Promise.all(bridge.agents().map((agent) => agent.interrupt()));
  },
  /** What this process holds after a collection: its heap and what lies beside it, in bytes. */
  heldBytes(): number {
    collectGarbage();
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  },
};

/** What this process can be asked. */
export type ServiceTasks = typeof tasks;

serve(tasks);

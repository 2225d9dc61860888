import { createServer, type AddressInfo } from 'node:net';
import { msToSamples } from '../../src/base/units.js';
import { openBridge, type BridgeHandle } from '../../src/bridge.js';
import { PlaybackClock } from '../../src/speech/playback-clock.js';
import { PING_TIMING } from '../../src/transport/ack-window.js';
import { KeeperClient, type Channel } from '../../src/keeper/keeper-client.js';
import { SharedState } from '../../src/keeper/shared-state.js';
import { LEAD_MS, speechLikeNoise, watchWindow, type Window, type WindowReport } from './load.js';
import { sharedClock, sleep } from './now.js';
import { serve } from './processes.js';

/** How every agent speaks. */
export interface SpeakOptions {
  readonly spreadMs: number;
  readonly seconds: number;
  /** With a cue so often. */
  readonly cueEveryMs?: number;
}

const { everyMs } = PING_TIMING;
const { transmit } = PlaybackClock.prototype;
let bridge: BridgeHandle;
let leadSamples = msToSamples(LEAD_MS);

/** How a bridge is started. */
export interface ListenOptions {
  readonly leadMs?: number | 'auto' | undefined;
  /** What avatars come by: `keeper` as under `serve`, with a record of each frame for the next worker. */
  readonly via?: 'websocket' | 'tcp' | 'keeper' | undefined;
}

/** A keeper in this process: it accepts connections and hands them over as the one of `serve` does. */
function keptHere(): KeeperClient {
  const sharedState = SharedState.create();
  let slots = 0;
  let listener: (message: unknown, handle: unknown) => void = () => undefined;
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    const slot = (slots += 1);
    sharedState.clear(slot);
    listener({ type: 'connection', slot }, socket);
    socket.resume();
  });
  const channel: Channel = {
    connected: true,
    send: (message) => {
      if ((message as { type: string }).type !== 'listen') return true;
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo;
        listener({ type: 'listening', host: '127.0.0.1', port }, undefined);
      });
      return true;
    },
    on: (event: string, told: (message: unknown, handle: unknown) => void) => {
      if (event === 'message') listener = told;
    },
  };
  const wishes = { standby: false, log: { json: true, level: 'info' } };
  return new KeeperClient({ sharedStateFd: sharedState.fd, number: 1 }, wishes, channel);
}

const tasks = {
  /** Starts a bridge. @returns where avatars connect to it */
  async listen({ leadMs = LEAD_MS, via = 'websocket' }: ListenOptions = {}): Promise<string> {
    if (leadMs !== 'auto') leadSamples = msToSamples(leadMs);
    bridge = await openBridge({
      port: 0,
      leadMs,
      maxAgents: 10_000,
      firstSoundMs: 0,
      clock: sharedClock,
      tcpListen: via === 'tcp' ? ['0'] : [],
      keeperClient: via === 'keeper' ? keptHere() : undefined,
    });
    bridge.handover?.enter({ stop: () => undefined, over: () => undefined });
    const [tcp] = bridge.tcpAddresses;
    return tcp ? `tcp://127.0.0.1:${tcp.port}` : `ws://127.0.0.1:${bridge.address.port}/chat`;
  },
  /** Has every agent speak, their starts spread evenly over a time. */
  async speak({ spreadMs, seconds, cueEveryMs }: SpeakOptions): Promise<void> {
    const sound = speechLikeNoise(seconds);
    const cueCount = cueEveryMs === undefined ? 0 : Math.floor((seconds * 1000) / cueEveryMs);
    const cues = Array.from({ length: cueCount }, (_, i) => ({ atMs: i * cueEveryMs!, send: `CUE|${i}` }));
    const agents = bridge.agents();
    await Promise.all(agents.map((agent) => agent.whenReady()));
    const startMs = sharedClock.nowMs();
    for (const [i, agent] of agents.entries()) {
      const waitMs = startMs + (spreadMs * i) / agents.length - sharedClock.nowMs();
      if (waitMs > 0) await sleep(waitMs);
      agent.speak(sound, { sampleRateHz: 16_000, cues });
    }
  },
  /** Has each agent speak with a lead of its own, or the bridge's. */
  async speakWithLeads(options: { leads: Record<string, number | 'auto'>; seconds: number }): Promise<void> {
    const sound = speechLikeNoise(options.seconds);
    for (const [name, leadMs] of Object.entries(options.leads)) {
      const agent = bridge.agent(name);
      await agent.whenReady();
      agent.speak(sound, { sampleRateHz: 16_000, ...(leadMs !== 'auto' && { leadMs }) });
      await sleep(3);
    }
  },
  /** Interrupts one agent after the other. @returns when each was, on the shared clock */
  async interruptEach(): Promise<Record<string, number>> {
    const calledMs: Record<string, number> = {};
    const ends: Promise<unknown>[] = [];
    for (const agent of bridge.agents()) {
      calledMs[agent.name] = sharedClock.nowMs();
      ends.push(agent.interrupt());
      await sleep(3);
    }
    await Promise.all(ends);
    return calledMs;
  },
  /** From now on stands still now and then, for a random time each. */
  stall({ everyMs, longestMs }: { everyMs: number; longestMs: number }): void {
    setInterval(() => {
      const untilMs = sharedClock.nowMs() + Math.random() * longestMs;
      while (sharedClock.nowMs() < untilMs);
    }, everyMs);
  },
  /** Has delivery marks go out as often as they always do, or only as the bytes under way ask for them. */
  marks(on: boolean): void {
    Object.assign(PING_TIMING, { everyMs: on ? everyMs : 1e9 });
  },
  /** Measures for a while. */
  async measure(window: Window): Promise<WindowReport> {
    const agents = bridge.agents();
    const latenessMs: number[] = [];
    if (window.lateness) {
      PlaybackClock.prototype.transmit = function (this: PlaybackClock, samples) {
        const dueMs = this.schedule.nextDueMs(leadSamples);
        const dryMs = transmit.call(this, samples);
        latenessMs.push(Math.max(0, this.sentAtMs - dueMs));
        return dryMs;
      };
    }
    const sentFrames = (): number => agents.reduce((sum, agent) => sum + agent.sent.samples, 0) / 640;
    const report = await watchWindow(window, sentFrames, latenessMs);
    PlaybackClock.prototype.transmit = transmit;
    return report;
  },
  /** Ends every speech. */
  async quiet(): Promise<void> {
    await Promise.all(bridge.agents().map((agent) => agent.interrupt()));
  },
};

/** What this process can be asked. */
export type BridgeTasks = typeof tasks;

serve(tasks);

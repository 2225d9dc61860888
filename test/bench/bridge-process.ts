import { msToSamples } from '../../src/base/units.js';
import { openBridge, type BridgeHandle } from '../../src/bridge.js';
import { PlaybackClock } from '../../src/speech/playback-clock.js';
import { PING_TIMING } from '../../src/transport/ack-window.js';
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

const tasks = {
  /** Starts a bridge. @returns the port it listens on */
  async listen(leadMs: number | 'auto' = LEAD_MS): Promise<number> {
    if (leadMs !== 'auto') leadSamples = msToSamples(leadMs);
    bridge = await openBridge({ port: 0, firstSoundMs: 0, leadMs, maxAgents: 10_000, clock: sharedClock });
    return bridge.address.port;
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

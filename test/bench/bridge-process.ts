import { createBridge, type Bridge } from '../../src/bridge.js';
import { LEAD_MS, speechLikeNoise, watchWindow, type Window, type WindowReport } from './load.js';
import { sharedClock, sleep } from './now.js';
import { serve } from './processes.js';

let bridge: Bridge;

const tasks = {
  /** Starts a bridge. @returns the port it listens on */
  async listen(): Promise<number> {
    bridge = await createBridge({ port: 0, leadMs: LEAD_MS, maxAgents: 10_000, clock: sharedClock });
    return bridge.address.port;
  },
  /** Has every agent speak without end, their starts spread evenly over a time. */
  async speak({ spreadMs, seconds }: { spreadMs: number; seconds: number }): Promise<void> {
    const sound = speechLikeNoise(seconds);
    const agents = bridge.agents();
    await Promise.all(agents.map((agent) => agent.whenReady()));
    const startMs = sharedClock.nowMs();
    for (const [i, agent] of agents.entries()) {
      const waitMs = startMs + (spreadMs * i) / agents.length - sharedClock.nowMs();
      if (waitMs > 0) await sleep(waitMs);
      agent.speak(sound, { sampleRateHz: 16_000 });
    }
  },
  /** Measures for a while. */
  async measure(window: Window): Promise<WindowReport> {
    const agents = bridge.agents();
    const latenessMs: number[] = [];
    const offs = window.lateness
      ? agents.map((agent) =>
          agent.player.on('frame', ({ timing }) => timing && latenessMs.push(timing.latenessMs)),
        )
      : [];
    const sentFrames = (): number => agents.reduce((sum, agent) => sum + agent.sentSamples, 0) / 640;
    const report = await watchWindow(window, sentFrames, latenessMs);
    for (const off of offs) off();
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

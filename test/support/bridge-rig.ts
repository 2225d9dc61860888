import { expect, onTestFinished } from 'vitest';
import { openBridge, type Bridge, type BridgeHandle, type OpenOptions } from '../../src/bridge.js';
import type { Agent } from '../../src/agent/agent.js';
import { compareHeard, SimulatedAvatar, type SimulatorOptions } from '../../src/simulator/index.js';

export { until } from './until.js';

/** A bridge on a free loopback port, closed when the test ends. It does not wait for a sound device. */
export async function startBridge(options: OpenOptions = {}): Promise<BridgeHandle> {
  const bridge = await openBridge({ port: 0, firstSoundMs: 0, ...options });
  onTestFinished(() => bridge.close());
  return bridge;
}

/** A simulated avatar on the bridge's path, gone when the test ends. Its sound device is open at once. */
export async function joinAvatar(
  bridge: Bridge,
  options: Partial<SimulatorOptions> & { name?: string } = {},
): Promise<SimulatedAvatar> {
  const { name, ...rest } = options;
  const { port } = bridge.address;
  const path = name === undefined ? bridge.options.path : `${bridge.options.path}/${name}`;
  const avatar = new SimulatedAvatar({
    url: `ws://127.0.0.1:${port}${path}`,
    readyAfterMs: 80,
    audioOpenMs: 0,
    ...rest,
  });
  onTestFinished(() => avatar.leave());
  await avatar.connect();
  return avatar;
}

/** Settles when an event of the agent comes. */
export function next<T>(agent: Agent, event: Parameters<Agent['on']>[0]): Promise<T> {
  return new Promise((resolve) => {
    const off = agent.on(event, (payload) => {
      off();
      resolve(payload as T);
    });
  });
}

/** That an avatar has heard a sound to the sample, and nothing else; what it tells of itself stands in the failure. */
export function expectHeard(avatar: SimulatedAvatar, expected: Int16Array): void {
  const heard = compareHeard(expected, avatar.heard());
  const { gaps, segments, samplesDropped, samplesHeld, ruleCounts } = avatar.report();
  const facts = { heard, gaps, segments, samplesDropped, samplesHeld, ruleCounts };
  expect(heard.exact, JSON.stringify(facts)).toBe(true);
}

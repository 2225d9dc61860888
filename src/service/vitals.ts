import type { BridgeHandle } from '../bridge.js';
import { eventTime, type AgentEventJson } from './events.js';
import { agentJson } from './schemas.js';

/** Interval of the measurements, in ms. */
const EVERY_MS = 500;

type Vitals = Extract<AgentEventJson, { type: 'vitals' }>;

/**
 * Calls `tell` with every connected avatar's unplayed audio, lead, volume and round trip, twice a second, as far as they
 * have changed; nothing for an idle one.
 * @returns ends it
 */
export function tellVitals(
  bridge: BridgeHandle,
  tell: (event: AgentEventJson & { agent: string }) => void,
): () => void {
  let last = new Map<string, string>();
  const look = (): void => {
    const now = new Map<string, string>();
    for (const agent of bridge.agents()) {
      const vitals = vitalsOf(agentJson(agent.snapshot()));
      const text = JSON.stringify(vitals);
      now.set(agent.name, text);
      if (last.get(agent.name) !== text)
        tell({ type: 'vitals', time: eventTime(), agent: agent.name, ...vitals });
    }
    last = now;
    timer = bridge.clock.after(EVERY_MS, look);
  };
  let timer = bridge.clock.after(EVERY_MS, look);
  return () => timer.cancel();
}

function vitalsOf({
  speaking,
  paused,
  heldMs,
  leadMs,
  gainDb,
  roundTrip,
}: Omit<Vitals, 'type' | 'time' | 'agent'>): Omit<Vitals, 'type' | 'time' | 'agent'> {
  return { speaking, paused, heldMs, leadMs, gainDb, roundTrip };
}

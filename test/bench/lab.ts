import { openBridge, type BridgeHandle, type OpenOptions } from '../../src/bridge.js';
import type { Agent } from '../../src/agent/agent.js';
import type { EarsTasks } from './ears-process.js';
import { sharedClock } from './now.js';
import { Companion } from './processes.js';

/** A bridge in this process, and simulated avatars in another. */
export interface Lab {
  readonly bridge: BridgeHandle;
  readonly ears: Companion<EarsTasks>;
  /** Connects one more simulated avatar and waits until it can speak. */
  connect(name: string, simulator?: Parameters<EarsTasks['connect']>[0]['simulator']): Promise<Agent>;
  close(): Promise<void>;
}

/** Sets one up. Close it. */
export async function openLab(options: OpenOptions = {}): Promise<Lab> {
  const bridge = await openBridge({ port: 0, clock: sharedClock, ...options });
  const ears = new Companion<EarsTasks>('ears-process');
  return {
    bridge,
    ears,
    async connect(name, simulator) {
      const [tcp] = bridge.tcpAddresses;
      const url = tcp ? `tcp://127.0.0.1:${tcp.port}` : `ws://127.0.0.1:${bridge.address.port}/chat`;
      await ears.call('connect', { url, group: name, names: [name], ...(simulator && { simulator }) });
      const agent = bridge.agent(name);
      await agent.whenReady();
      return agent;
    },
    async close() {
      await ears.close();
      await bridge.close();
    },
  };
}

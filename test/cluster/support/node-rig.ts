import { startService, until, type ServiceRig } from '../../support/service-rig.js';
import type { BridgeOptions } from '../../../src/bridge.js';
import type { ServiceOptions } from '../../../src/service/service.js';
import type { NatsServer } from './nats-server.js';

/** A node as the API lists it. */
export interface ListedNode {
  readonly name: string;
  readonly reachable: boolean;
}

/** Services joined by a NATS server, in this process; close them before the server. */
export class NodeRigs {
  readonly #rigs: ServiceRig[] = [];

  constructor(readonly nats: NatsServer) {}

  async start(node: string, options: BridgeOptions = {}, service: ServiceOptions = {}): Promise<ServiceRig> {
    const rig = await startService({ nats: [this.nats.url], node, ...options }, service);
    this.#rigs.push(rig);
    return rig;
  }

  async close(): Promise<void> {
    await Promise.all(this.#rigs.splice(0).map((rig) => rig.close()));
  }
}

/** Waits until a node sees these others. */
export async function sees(rig: ServiceRig, names: readonly string[]): Promise<void> {
  await until(async () => {
    const { json } = await rig.ask('GET', '/api/nodes');
    const nodes = json['nodes'] as unknown as ListedNode[];
    return names.every((name) => nodes.some((node) => node.name === name && node.reachable));
  });
}

/** Waits until a node shows an agent as ready. */
export async function shows(rig: ServiceRig, name: string, state = 'ready'): Promise<void> {
  await until(async () => {
    const { json } = await rig.ask('GET', '/api/agents');
    const agents = json['agents'] as unknown as { name: string; state: string }[];
    return agents.some((agent) => agent.name === name && agent.state === state);
  });
}

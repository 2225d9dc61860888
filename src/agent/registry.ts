import { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import type { Agent, InterruptThere } from './agent.js';
import type { Connection, LinkState } from './connection.js';

/** The agent of a path without a name. */
export const DEFAULT_AGENT = 'default';

/** What stands for every agent where a name is asked for; so it is none. */
export const ALL_AGENTS = 'all';

const NAME = /^[\p{L}\p{N}._-]{1,64}$/u;

/** The events of a registry. */
export interface AgentRegistryEvents {
  /** A name was heard of for the first time. */
  agent: Agent;
}

/** Every agent of a bridge, by name: those that are connected, and those that somebody has asked for. */
export class AgentRegistry {
  readonly events = new Emitter<AgentRegistryEvents>();
  readonly #make: (name: string) => Agent;
  readonly #maxAgents: number;
  readonly #agents = new Map<string, Agent>();
  /** Names that a caller holds a handle of, which has to stay the same one. */
  readonly #asked = new Set<string>();
  #handingOver: AbortSignal | undefined;

  /** @param make makes the agent of a name that is new */
  constructor(make: (name: string) => Agent, options: { maxAgents: number }) {
    this.#make = make;
    this.#maxAgents = options.maxAgents;
  }

  /** Those known, in the order in which they came. */
  list(): Agent[] {
    this.#sweep();
    return [...this.#agents.values()];
  }

  /** The agent of that name if it is known. */
  find(name: string): Agent | undefined {
    return this.#agents.get(name);
  }

  /**
   * The agent of that name; when it is not connected yet, the handle stands for it until it is.
   * @throws BridgeError AGENT_NAME_INVALID or AGENT_LIMIT
   */
  get(name: string = DEFAULT_AGENT): Agent {
    const agent = this.#agents.get(name) ?? this.#add(name);
    this.#asked.add(name);
    return agent;
  }

  /**
   * As `get`, but for a passing use: once nothing waits for it, the name is forgotten again. So a mistyped name does not
   * stay for good.
   * @throws BridgeError AGENT_NAME_INVALID or AGENT_LIMIT
   */
  visit(name: string): Agent {
    return this.#agents.get(name) ?? this.#add(name);
  }

  /**
   * Takes a new connection on under a name. Where one of that name is connected already, the newcomer gets the name
   * with a number: refusing it would make it try again with ever longer paths (protocol.md §1).
   * @throws BridgeError AGENT_NAME_INVALID or AGENT_LIMIT
   */
  attach(name: string, connection: Connection, state?: LinkState): Agent {
    let agent = this.#agents.get(name);
    // A name on its way here from another process is taken, but for that connection.
    const taken = (agent: Agent): boolean => agent.state !== 'absent' && !(agent.handover && state);
    for (let number = 2; agent && taken(agent); number += 1) {
      agent = this.#agents.get(`${name}-${number}`) ?? this.#add(`${name}-${number}`);
    }
    agent ??= this.#add(name);
    const attached = agent;
    connection.events.on('closed', () => queueMicrotask(() => this.#forget(attached)));
    attached.attach(connection, state);
    if (this.#handingOver) void attached.handOver(this.#handingOver);
    return attached;
  }

  /** An agent of that name is on its way here from another process. See `Agent.expect`. */
  expect(name: string, withinMs: number, interruptThere?: InterruptThere): void {
    (this.#agents.get(name) ?? this.#add(name)).expect(withinMs, interruptThere);
  }

  /** Lets every agent's speeches end, and takes no more. @param late see `Agent.drain` */
  async drain(late: AbortSignal): Promise<void> {
    const refusal = new BridgeError('SERVICE_CLOSING', 'The service is ending.');
    await Promise.all(this.list().map((agent) => agent.drain(late, refusal)));
  }

  /**
   * Gives every connection to another process, each when its agent has nothing more to say; those that come later too.
   * @param late aborted when the speeches have had time enough: they are stopped then
   */
  async handOver(late: AbortSignal): Promise<void> {
    this.#handingOver = late;
    await Promise.all(this.list().map((agent) => agent.handOver(late)));
  }

  /** The handover is off: the agents that are still here take speeches again, and none comes from elsewhere. */
  takeBack(): void {
    this.#handingOver = undefined;
    for (const agent of this.#agents.values()) agent.takeBack();
  }

  /** Ends every agent's speeches; their connections stay for their owner to close. */
  close(): void {
    for (const agent of this.#agents.values()) agent.close();
  }

  #add(name: string): Agent {
    if (name === ALL_AGENTS) {
      throw new BridgeError(
        'AGENT_NAME_INVALID',
        "'all' stands for every agent and can be the name of none.",
      );
    }
    if (!NAME.test(name)) {
      throw new BridgeError(
        'AGENT_NAME_INVALID',
        `${JSON.stringify(name.slice(0, 80))} is no name for an agent.`,
      );
    }
    if (this.#agents.size >= this.#maxAgents) this.#sweep();
    if (this.#agents.size >= this.#maxAgents) {
      throw new BridgeError(
        'AGENT_LIMIT',
        `${this.#agents.size} agents are known already; ${name} was not taken on.`,
      );
    }
    const agent = this.#make(name);
    this.#agents.set(name, agent);
    this.events.emit('agent', agent);
    return agent;
  }

  #sweep(): void {
    for (const agent of this.#agents.values()) this.#forget(agent);
  }

  #forget(agent: Agent): void {
    if (agent.state !== 'absent' || agent.inUse || this.#asked.has(agent.name)) return;
    if (this.#agents.get(agent.name) === agent) this.#agents.delete(agent.name);
  }
}

import { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import type { Agent, InterruptThere } from './agent.js';
import type { Connection, LinkState } from './connection.js';

/** Name of the agent for a path without a name. */
export const DEFAULT_AGENT = 'default';

/** Word for every agent where a name is expected; no agent can have it as its name. */
export const ALL_AGENTS = 'all';

/** Maximum time of an avatar's answer, in ms, before a newcomer may take its name. */
const SIGN_OF_LIFE_MS = 1000;

const NAME = /^[\p{L}\p{N}._-]{1,64}$/u;

/** The events of a registry. */
export interface AgentRegistryEvents {
  /** A new name was added. */
  agent: Agent;
}

/** Every agent of a bridge, by name: connected agents, and those that a caller has asked for. */
export class AgentRegistry {
  readonly events = new Emitter<AgentRegistryEvents>();
  readonly #make: (name: string) => Agent;
  readonly #maxAgents: number;
  readonly #agents = new Map<string, Agent>();
  /** Names whose handle a caller holds, which must remain the same object. */
  readonly #asked = new Set<string>();
  #handingOver: AbortSignal | undefined;

  /** @param make makes the agent of a new name */
  constructor(make: (name: string) => Agent, options: { maxAgents: number }) {
    this.#make = make;
    this.#maxAgents = options.maxAgents;
  }

  /** Known agents, in the order in which they were added. */
  list(): Agent[] {
    this.#sweep();
    return [...this.#agents.values()];
  }

  /** Returns the agent of that name if it is known. */
  find(name: string): Agent | undefined {
    return this.#agents.get(name);
  }

  /**
   * Returns the agent of that name. When it is not connected yet, the handle stands for it until it is.
   * @throws BridgeError AGENT_NAME_INVALID or AGENT_LIMIT
   */
  get(name: string = DEFAULT_AGENT): Agent {
    const agent = this.#agents.get(name) ?? this.#add(name);
    this.#asked.add(name);
    return agent;
  }

  /**
   * Same as `get`, for temporary use: once nothing waits for it, the name is forgotten again, so that a mistyped name does
   * not remain.
   * @throws BridgeError AGENT_NAME_INVALID or AGENT_LIMIT
   */
  visit(name: string): Agent {
    return this.#agents.get(name) ?? this.#add(name);
  }

  /**
   * Checks whether a new connection may use a name, before it is accepted: afterwards it cannot be refused. Agents without
   * a connection do not count towards the limit.
   * @throws BridgeError AGENT_NAME_INVALID or AGENT_LIMIT
   */
  admit(name: string): void {
    checkName(name);
    let present = 0;
    for (const agent of this.#agents.values()) if (agent.state !== 'absent') present += 1;
    if (present < this.#maxAgents) return;
    throw new BridgeError('AGENT_LIMIT', `${present} avatars are connected already; ${name} was not let in.`);
  }

  /**
   * Adds a connection under a name. One that another process had is never refused. When an agent of that name is already
   * connected, it is probed; the newcomer gets the name if there is no answer, else the name with a number: refusing it
   * would make it try again with ever longer paths (protocol.md §1).
   * @param state known state of a connection that another process had
   * @throws BridgeError as `admit`, for a connection that no process had before
   */
  attach(name: string, connection: Connection, state?: LinkState): void {
    if (!state) this.admit(name);
    const holder = this.#agents.get(name);
    if (!holder || !isTaken(holder, state) || state || holder.handover || !connection.hold)
      return this.#place(this.#freeName(name, state), connection, state);
    let closed = false;
    connection.events.on('closed', () => (closed = true));
    connection.hold();
    void holder.answers(SIGN_OF_LIFE_MS).then((alive) => {
      connection.release?.();
      if (closed) return;
      if (!alive && isTaken(holder)) {
        const moved = this.#freeName(name);
        const old = holder.giveUp(moved);
        if (old) this.#place(moved, old.connection, old.state);
      }
      this.#place(this.#freeName(name), connection);
    });
  }

  #place(name: string, connection: Connection, state?: LinkState): void {
    const agent = this.#agents.get(name) ?? this.#create(name);
    connection.events.on('closed', () => queueMicrotask(() => this.#forget(agent)));
    agent.attach(connection, state);
    if (this.#handingOver) void agent.handOver(this.#handingOver);
  }

  /** Returns the name itself if it is free, else the first free name with a number. */
  #freeName(name: string, state?: LinkState): string {
    let free = name;
    for (let number = 2; ; number += 1) {
      const agent = this.#agents.get(free);
      if (!agent || !isTaken(agent, state)) return free;
      free = `${name}-${number}`;
    }
  }

  /** Expects the connection of an agent from another process. See `Agent.expect`. */
  expect(name: string, withinMs: number, interruptThere?: InterruptThere): void {
    (this.#agents.get(name) ?? this.#create(name)).expect(withinMs, interruptThere);
  }

  /** Waits until every agent's speeches have ended, and refuses new ones. @param late see `Agent.drain` */
  async drain(late: AbortSignal): Promise<void> {
    const refusal = new BridgeError('SERVICE_CLOSING', 'The service is ending.');
    await Promise.all(this.list().map((agent) => agent.drain(late, refusal)));
  }

  /**
   * Hands every connection to another process, each when its agent has finished; later connections too.
   * @param late aborted when the speeches' time is over: they are stopped then
   */
  async handOver(late: AbortSignal): Promise<void> {
    this.#handingOver = late;
    await Promise.all(this.list().map((agent) => agent.handOver(late)));
  }

  /** Cancels the handover: the remaining agents accept speeches again, and none is expected from elsewhere. */
  takeBack(): void {
    this.#handingOver = undefined;
    for (const agent of this.#agents.values()) agent.takeBack();
  }

  /** Ends every agent's speeches. The connections' owner closes the connections. */
  close(): void {
    for (const agent of this.#agents.values()) agent.close();
  }

  /** Adds an agent without a connection. @throws BridgeError AGENT_NAME_INVALID or AGENT_LIMIT */
  #add(name: string): Agent {
    checkName(name);
    if (this.#askedFor >= this.#maxAgents) this.#sweep();
    if (this.#askedFor < this.#maxAgents) return this.#create(name);
    throw new BridgeError(
      'AGENT_LIMIT',
      `${this.#askedFor} agents that are not connected have been asked for already; ${name} was not taken on.`,
    );
  }

  get #askedFor(): number {
    let count = 0;
    for (const agent of this.#agents.values()) if (agent.state === 'absent') count += 1;
    return count;
  }

  #create(name: string): Agent {
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

/** @throws BridgeError AGENT_NAME_INVALID */
function checkName(name: string): void {
  if (name === ALL_AGENTS) {
    throw new BridgeError('AGENT_NAME_INVALID', "'all' stands for every agent and can be the name of none.");
  }
  if (NAME.test(name)) return;
  throw new BridgeError(
    'AGENT_NAME_INVALID',
    `${JSON.stringify(name.slice(0, 80))} is no name for an agent.`,
  );
}

/** A name expected from another process is taken, except for that connection. */
function isTaken(agent: Agent, state?: LinkState): boolean {
  return agent.state !== 'absent' && !(agent.handover && state);
}

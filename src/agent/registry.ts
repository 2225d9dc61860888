import { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import type { Agent, InterruptThere } from './agent.js';
import type { Connection, LinkState } from './connection.js';

/** The agent of a path without a name. */
export const DEFAULT_AGENT = 'default';

/** What stands for every agent where a name is asked for; so it is none. */
export const ALL_AGENTS = 'all';

/** An avatar that has not answered for so long, in ms, has no claim to a name that another one comes for. */
const SIGN_OF_LIFE_MS = 1000;

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
   * Checks whether a new connection may come under a name, before it is accepted: afterwards it cannot be refused.
   * Agents that are only asked for take no place.
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
   * Takes a connection on under a name. One that another process had is never refused. Where an agent of that name is
   * connected already, that one is asked for a sign of life; the newcomer has the name if there is none, and else the name
   * with a number: refusing it would make it try again with ever longer paths (protocol.md §1).
   * @param state what is known of a connection that another process had
   * @throws BridgeError as `admit`, for one that no process had
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

  /** The name itself if no connection has it, else the first with a number that none has. */
  #freeName(name: string, state?: LinkState): string {
    let free = name;
    for (let number = 2; ; number += 1) {
      const agent = this.#agents.get(free);
      if (!agent || !isTaken(agent, state)) return free;
      free = `${name}-${number}`;
    }
  }

  /** An agent of that name is on its way here from another process. See `Agent.expect`. */
  expect(name: string, withinMs: number, interruptThere?: InterruptThere): void {
    (this.#agents.get(name) ?? this.#create(name)).expect(withinMs, interruptThere);
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

  /** An agent that is only asked for. @throws BridgeError AGENT_NAME_INVALID or AGENT_LIMIT */
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

/** A name on its way here from another process is taken, but for that connection. */
function isTaken(agent: Agent, state?: LinkState): boolean {
  return agent.state !== 'absent' && !(agent.handover && state);
}

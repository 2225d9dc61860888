import type { SoundInput, SoundInputOptions } from '../audio/input.js';
import { ALL_AGENTS } from '../agent/registry.js';
import { BridgeError } from '../base/errors.js';
import type { Agent } from '../agent/agent.js';
import type { AgentGroup } from '../agent/group.js';
import type { SayOptions } from '../agent/say.js';
import type { Speech, SpeechEnd, SpeechOptions } from '../speech/speech.js';
import { knownAgent, type ServiceContext } from './context.js';

/** True for a `:name` of several agents: names separated by commas, or all connected agents. */
export function isGroupName(name: string): boolean {
  return name === ALL_AGENTS || name.includes(',');
}

/**
 * Returns the agents of a name.
 * @param forOne returns the agent of a single name; a known agent by default
 * @throws BridgeError AGENT_UNKNOWN with the unknown name, or when none is connected
 */
export function agentsOf(
  context: ServiceContext,
  name: string,
  forOne: (name: string) => Agent = (one) => knownAgent(context, one),
): Agent[] {
  if (!isGroupName(name)) return [forOne(name)];
  const names = namesOf(name);
  if (names !== ALL_AGENTS) return names.map((one) => knownAgent(context, one));
  const agents = context.bridge.agents().filter(({ state }) => state !== 'absent');
  if (agents.length === 0) throw new BridgeError('AGENT_UNKNOWN', 'No avatar is connected.');
  return agents;
}

/**
 * Returns the names in a path's `:name`, without duplicates, in their order.
 * @throws BridgeError AGENT_NAME_INVALID
 */
export function namesOf(name: string): string[] | typeof ALL_AGENTS {
  if (name === ALL_AGENTS) return name;
  const names = [...new Set(name.split(',').map((part) => part.trim()))];
  const wrong = names.find((one) => one === '' || one === ALL_AGENTS);
  if (wrong === undefined) return names;
  const what = wrong === '' ? 'an empty name' : `'${ALL_AGENTS}', which stands alone`;
  throw new BridgeError('AGENT_NAME_INVALID', `The list ${JSON.stringify(name.slice(0, 80))} has ${what}.`);
}

/** Speeches of one request, one per agent. */
export interface Spoken {
  /** Name as in the path. */
  readonly name: string;
  /** True when several agents were requested, even if only one exists; the answer is then a list. */
  readonly isGroup: boolean;
  readonly members: readonly { readonly agent: string; readonly speech: Speech }[];
  /** Settles when all have ended, with each agent's end by name; see `GroupSpeech.finished`. Never rejects. */
  readonly finished: Promise<ReadonlyMap<string, SpeechEnd>>;
}

/** Agents that are to speak. */
export interface Target {
  /** @throws as `Agent.speak` */
  speak(input: SoundInput, options: SpeechOptions & SoundInputOptions): Spoken;
  /** @throws as `Agent.live` */
  live(input: SoundInput, options: SpeechOptions & SoundInputOptions): Spoken;
  /** @throws as `Agent.say` */
  say(text: string | AsyncIterable<string>, options: SayOptions): Spoken;
}

/**
 * Returns the target of a name. A single agent may be absent, and is waited for. Of several agents each has to be known,
 * because the others cannot wait for it.
 * @throws BridgeError AGENT_UNKNOWN, AGENT_NAME_INVALID or AGENT_LIMIT
 */
export function targetOf(context: ServiceContext, name: string): Target {
  if (!isGroupName(name)) {
    const agent = context.bridge.visitAgent(name);
    const one = (speech: Speech): Spoken => ({
      name,
      isGroup: false,
      members: [{ agent: agent.name, speech }],
      finished: speech.finished.then((end) => new Map([[agent.name, end]])),
    });
    return {
      speak: (input, options) => one(agent.speak(input, options)),
      live: (input, options) => one(agent.live(input, options)),
      say: (text, options) => one(agent.say(text, options)),
    };
  }
  const group: AgentGroup = context.bridge.visitGroup(agentsOf(context, name).map((agent) => agent.name));
  const several = ({ speeches, finished }: ReturnType<AgentGroup['speak']>): Spoken => ({
    name,
    isGroup: true,
    members: speeches.map((speech, index) => ({ agent: group.agents[index]!.name, speech })),
    finished,
  });
  return {
    speak: (input, options) => several(group.speak(input, options)),
    live: (input, options) => several(group.live(input, options)),
    say: (text, options) => several(group.say(text, options)),
  };
}

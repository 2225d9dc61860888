import type { SoundInput, SoundInputOptions } from '../audio/input.js';
import { ALL_AGENTS } from '../agent/registry.js';
import { BridgeError } from '../base/errors.js';
import type { Agent } from '../agent/agent.js';
import type { AgentGroup } from '../agent/group.js';
import type { SayOptions } from '../agent/say.js';
import type { Speech, SpeechEnd, SpeechOptions } from '../speech/speech.js';
import { knownAgent, type ServiceContext } from './context.js';

/** What a path's `:name` may stand for: one agent, several with commas between them, or all that are connected. */
export function isGroupName(name: string): boolean {
  return name === ALL_AGENTS || name.includes(',');
}

/**
 * The agents that a name stands for.
 * @param forOne what stands for a single name; a known agent by default
 * @throws BridgeError AGENT_UNKNOWN, which names the one that there is not, or says that nobody is connected
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
 * The names in a path's `:name`, each once, in their order.
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

/** A speech by each of those who were to speak. */
export interface Spoken {
  /** As it stands in the path. */
  readonly name: string;
  /** Several were asked for, even if only one is there: then the answer is about several. */
  readonly isGroup: boolean;
  readonly members: readonly { readonly agent: string; readonly speech: Speech }[];
  /** Settles when all have ended, with each one's end by the agent's name; see `GroupSpeech.finished`. Never rejects. */
  readonly finished: Promise<ReadonlyMap<string, SpeechEnd>>;
}

/** Who is to speak. */
export interface Target {
  /** @throws as `Agent.speak` */
  speak(input: SoundInput, options: SpeechOptions & SoundInputOptions): Spoken;
  /** @throws as `Agent.live` */
  live(input: SoundInput, options: SpeechOptions & SoundInputOptions): Spoken;
  /** @throws as `Agent.say` */
  say(text: string | AsyncIterable<string>, options: SayOptions): Spoken;
}

/**
 * Who a name stands for when something is to be spoken. A single agent need not be there yet: it is waited for. Of
 * several each has to be known, because the others cannot wait for it.
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

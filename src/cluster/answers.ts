import type { Problem } from '../service/problem.js';
import type { CommandResultJson, SpeechEndJson, SpeechResultJson } from '../service/schemas.js';
import type { AgentOfNode } from './names.js';

type Json = Record<string, unknown>;

/**
 * Returns an answer or event of another node with the names that this node shows: each `agent`, and each agent's `name`
 * with its `node` added.
 */
export function renamed(value: unknown, node: string, shown: (agent: AgentOfNode) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, node, shown));
  if (typeof value !== 'object' || value === null) return value;
  const json = { ...(value as Json) };
  if (typeof json['agent'] === 'string') {
    json['agent'] = shown({ node, name: json['agent'] });
    if (typeof json['type'] === 'string') json['node'] = node;
  } else if (json['agent'] !== undefined) json['agent'] = renamed(json['agent'], node, shown);
  // An agent as the API returns it; a mark or a voice has a name too.
  if (typeof json['name'] === 'string' && typeof json['heldMs'] === 'number') {
    json['name'] = shown({ node, name: json['name'] });
    json['node'] = node;
  }
  for (const key of ['agents', 'speeches']) {
    if (Array.isArray(json[key])) json[key] = renamed(json[key], node, shown);
  }
  return json;
}

/** Result of one node's part of a request that several nodes answer. */
export interface PartAnswer {
  /** Agents of this part, by their shown names. */
  readonly agents: readonly string[];
  readonly status: number;
  /** JSON of the answer, renamed; a problem when `status` is 400 or above. */
  readonly json: unknown;
}

/** Kind of list made from the answers of several nodes, and of its items. */
export type GroupAnswer = 'speak' | 'list' | 'commands' | 'interrupt' | 'state';

/** Merges the answers of several nodes into one. */
export function merged(
  kind: GroupAnswer,
  parts: readonly PartAnswer[],
  order: readonly string[],
  commands: readonly string[],
): { status: number; json: unknown } {
  const failed = parts.filter(({ status }) => status >= 400);
  // For speeches one agent is enough, and each command has its own result; everything else succeeds everywhere or fails.
  const enough = kind === 'speak' || kind === 'commands';
  if (failed.length === parts.length || (failed.length > 0 && !enough)) return failed[0]!;
  const items = parts.flatMap((part) =>
    part.status >= 400
      ? part.agents.map((agent) => failedItem(kind, agent, part.json as Problem, commands))
      : itemsOf(kind, part),
  );
  const place = (item: unknown): number => {
    const { agent, name } = item as { agent?: string; name?: string };
    return order.indexOf(agent ?? name ?? '');
  };
  items.sort((a, b) => place(a) - place(b));
  const status = parts.find((part) => part.status < 400)!.status;
  return { status, json: { [kind === 'speak' || kind === 'list' ? 'speeches' : 'agents']: items } };
}

/** Returns one node's answers for each agent. A node that was asked for a single agent answers without a list. */
function itemsOf(kind: GroupAnswer, { json, agents }: PartAnswer): unknown[] {
  const answer = json as Json;
  const list = answer[kind === 'speak' || kind === 'list' ? 'speeches' : 'agents'];
  if (Array.isArray(list)) return list as unknown[];
  return [kind === 'interrupt' ? { agent: agents[0], ...answer } : answer];
}

function failedItem(
  kind: GroupAnswer,
  agent: string,
  error: Problem,
  commands: readonly string[],
): SpeechResultJson | { agent: string; results: CommandResultJson[] } {
  if (kind === 'commands') {
    return { agent, results: commands.map((command) => ({ command, sent: false, error })) };
  }
  return {
    id: '',
    agent,
    label: '',
    state: 'ended',
    waiting: null,
    positionMs: 0,
    durationMs: null,
    end: failedEnd(error, 0, null),
  };
}

/** Returns the end of a speech whose real end is unknown. */
export function failedEnd(error: Problem, heardMs: number, durationMs: number | null): SpeechEndJson {
  return {
    how: 'failed',
    heardMs,
    heard: 'assumed',
    durationMs,
    gaps: { count: 0, totalMs: 0, bySource: 0, byStall: 0, byAgent: 0 },
    droppedMs: 0,
    latency: null,
    cuesSent: 0,
    cuesDropped: 0,
    error,
  };
}

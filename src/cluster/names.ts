import { BridgeError } from '../base/errors.js';

/** An agent of one node. */
export interface AgentOfNode {
  readonly node: string;
  /** Name on that node. */
  readonly name: string;
}

/** Known agents of all nodes, for a name lookup. */
export interface NameView {
  /** Name of this node. */
  readonly self: string;
  /** Returns every known node except this one. */
  nodes(): readonly string[];
  /** Returns the agents of a node with their states. */
  agentsOf(node: string): ReadonlyMap<string, { readonly state: string }>;
}

/**
 * Returns the name of an agent as this node shows it: its own agents keep their plain name; a remote agent gets its node
 * (`name@node`) when another node has an agent of the same name.
 */
export function shownName(view: NameView, { node, name }: AgentOfNode): string {
  if (node === view.self) return name;
  const alone = [view.self, ...view.nodes()].every(
    (other) => other === node || !view.agentsOf(other).has(name),
  );
  return alone ? name : `${name}@${node}`;
}

/**
 * Returns the agent of a name. A plain name means a connected agent of this node, else the only one connected elsewhere,
 * else an agent of this node, which may be absent.
 * @throws BridgeError NODE_UNREACHABLE when the node is unknown; AGENT_AMBIGUOUS
 */
export function agentNamed(view: NameView, text: string): AgentOfNode {
  const at = text.lastIndexOf('@');
  if (at >= 0) {
    const node = text.slice(at + 1);
    if (node !== view.self && !view.nodes().includes(node)) throw unknownNode(view, node);
    return { node, name: text.slice(0, at) };
  }
  const here = view.agentsOf(view.self).get(text);
  if (here && here.state !== 'absent') return { node: view.self, name: text };
  const elsewhere = view.nodes().filter((node) => view.agentsOf(node).has(text));
  const connected = elsewhere.filter((node) => view.agentsOf(node).get(text)!.state !== 'absent');
  const candidates = connected.length > 0 || here ? connected : elsewhere;
  if (candidates.length > 1) {
    const names = candidates.map((node) => `${text}@${node}`);
    throw new BridgeError('AGENT_AMBIGUOUS', `Several nodes have an agent ${text}: ${names.join(', ')}.`);
  }
  return { node: candidates[0] ?? view.self, name: text };
}

function unknownNode(view: NameView, node: string): BridgeError {
  const known = [view.self, ...view.nodes()].slice(0, 20).join(', ');
  return new BridgeError(
    'NODE_UNREACHABLE',
    `There is no node ${JSON.stringify(node.slice(0, 40))}. Known nodes: ${known}.`,
  );
}

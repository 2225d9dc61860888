import { BridgeError } from '../base/errors.js';

/** Agent of a node. */
export interface AgentOfNode {
  readonly node: string;
  /** Its name on that node. */
  readonly name: string;
}

/** What is known of the agents of all nodes when a name is looked up. */
export interface NameView {
  /** Name of this node. */
  readonly self: string;
  /** Every node that is known, without this one. */
  nodes(): readonly string[];
  /** The agents of a node, with what they do. */
  agentsOf(node: string): ReadonlyMap<string, { readonly state: string }>;
}

/**
 * Name of an agent as this node shows it: its own agents keep their plain name; that of an agent elsewhere has its node
 * (`name@node`) where another node has an agent of the same name.
 */
export function shownName(view: NameView, { node, name }: AgentOfNode): string {
  if (node === view.self) return name;
  const alone = [view.self, ...view.nodes()].every(
    (other) => other === node || !view.agentsOf(other).has(name),
  );
  return alone ? name : `${name}@${node}`;
}

/**
 * The agent that a name stands for. A plain name is that of a connected agent here, else of the one that is connected
 * elsewhere, else one of this node, which need not be there yet.
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

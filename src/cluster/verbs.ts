import type { NodeVerb } from '../service/nodes.js';

const PATH = /^\/api\/agents(?:\/([^/]+)(?:\/([a-z]+)(?:\/([^/]+)(?:\/([a-z]+))?)?)?)?$/;

/** The verb of each route about an agent, by its method and what stands behind the agent's name. */
const VERBS: Readonly<Record<string, NodeVerb>> = {
  'POST speeches': 'speak',
  'PUT speeches': 'speak',
  'POST say': 'say',
  'POST commands': 'send',
  'POST cues': 'send',
  'POST interrupt': 'control',
  'POST pause': 'control',
  'POST resume': 'control',
  'PUT gain': 'control',
  'DELETE speech': 'control',
};

/**
 * What another node has to be allowed for a request.
 * @param path without its query
 * @returns `read` for what every node may know; nothing for what no other node may ask
 */
export function verbOf(method: string, path: string): NodeVerb | 'read' | undefined {
  const match = PATH.exec(path);
  if (!match) return undefined;
  const [, name, what, id, more] = match;
  if (what === 'events') return undefined;
  if (method === 'GET') return 'read';
  if (name === undefined || what === undefined) return undefined;
  if (id === undefined) return VERBS[`${method} ${what}`];
  return what === 'speeches' ? VERBS[`${method} ${more ?? 'speech'}`] : undefined;
}

import type { NodeVerb } from '../service/nodes.js';

const PATH = /^\/api\/agents(?:\/([^/]+)(?:\/([a-z]+)(?:\/([^/]+)(?:\/([a-z]+))?)?)?)?$/;

/** Verb of each agent route, by its method and the path after the agent's name. */
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
 * Returns the permission that another node needs for a request.
 * @param path without its query
 * @returns `read` for requests open to every node; undefined for requests that no other node may make
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

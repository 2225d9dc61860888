import { afterEach, describe, expect, it } from 'vitest';
import { verbOf } from '../../src/cluster/verbs.js';
import { startService, type ServiceRig } from '../support/service-rig.js';

let rig: ServiceRig;
afterEach(() => rig.close());

describe('what another node has to be allowed', () => {
  it('is stated for every route about an agent, and no other route is open to nodes', async () => {
    rig = await startService();
    const { paths } = JSON.parse((await rig.ask('GET', '/api/openapi.json')).text) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const verbs: Record<string, string | undefined> = {};
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of Object.keys(operations)) {
        const verb = verbOf(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x'));
        verbs[`${method} ${path}`] = verb;
        const isAgents = path.startsWith('/api/agents') && !path.endsWith('/events');
        expect([method, path, verb !== undefined]).toEqual([method, path, isAgents]);
      }
    }
    expect(verbs).toMatchObject({
      'post /api/agents/{name}/speeches': 'speak',
      'put /api/agents/{name}/speeches': 'speak',
      'post /api/agents/{name}/say': 'say',
      'post /api/agents/{name}/commands': 'send',
      'post /api/agents/{name}/speeches/{id}/cues': 'send',
      'delete /api/agents/{name}/speeches/{id}': 'control',
      'post /api/agents/{name}/interrupt': 'control',
      'put /api/agents/{name}/gain': 'control',
      'get /api/agents/{name}/stream': 'read',
    });
  });
});

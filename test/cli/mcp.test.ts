import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterEach, describe, expect, it } from 'vitest';
import { inProject } from '../support/paths.js';
import { startService, type ServiceRig } from '../support/service-rig.js';
import { sine } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
let client: Client | undefined;
afterEach(async () => {
  await client?.close();
  await rig.close();
});

async function connect(): Promise<void> {
  client = new Client({ name: 'test', version: '1' });
  const args = [inProject('dist/cli/main.js'), 'mcp', '--port', String(rig.port)];
  await client.connect(new StdioClientTransport({ command: process.execPath, args }));
}

async function call(
  name: string,
  args: Record<string, unknown> = {},
): Promise<{ text: string; isError: boolean }> {
  const { content, isError } = await client!.callTool({ name, arguments: args });
  const [{ text }] = content as [{ text: string }];
  return { text, isError: isError === true };
}

describe('mcp', () => {
  it('lists its tools, speaks, sends, waits until it was heard, and interrupts', async () => {
    rig = await startService({ engine: 'flite' });
    const avatar = await rig.avatar();
    await connect();
    const { tools } = await client!.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual([
      'agents',
      'interrupt',
      'say',
      'send',
      'speak_file',
      'voices',
      'wait_until_heard',
    ]);
    expect(JSON.parse((await call('agents')).text)).toMatchObject([{ name: 'default', state: 'ready' }]);
    await call('send', { commands: ['MOTION_ADD|0|nod|nod.vmd'] });
    const file = join(mkdtempSync(join(tmpdir(), 'mcp-')), 'short.wav');
    writeFileSync(file, wavOf(sine(8000, 440, 9000)));
    expect(JSON.parse((await call('speak_file', { path: file })).text)).toMatchObject({ how: 'completed' });
    expect(avatar.report().commands.map(({ line }) => line)).toContain('MOTION_ADD|0|nod|nod.vmd');
    const { id } = JSON.parse((await call('say', { text: 'Hello there. How are you today?' })).text) as {
      id: string;
    };
    await call('interrupt');
    const heard = JSON.parse((await call('wait_until_heard', { speech: id })).text) as {
      end: { how: string };
    };
    expect(heard.end.how).toBe('stopped');
  });

  it('tells a model what went wrong and what to do', async () => {
    rig = await startService();
    await connect();
    const unknown = await call('wait_until_heard', { speech: 's99' });
    expect(unknown.isError).toBe(true);
    expect(unknown.text).toMatch(/\[AGENT_UNKNOWN\]$/);
    expect((await call('speak_file', { path: '/no/such.wav' })).text).toMatch(/no file '\/no\/such\.wav'/);
  });
});

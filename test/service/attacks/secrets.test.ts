import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { command, inProcess, killCommands, type CommandRun } from '../../support/command.js';
import { rawUpgrade } from '../../support/raw-http.js';

const SECRETS = {
  token: 'the-token-of-the-callers-1234567890',
  agentToken: 'the-token-of-the-avatars-1234567890',
  openai: 'sk-the-key-of-openai-1234567890',
  elevenlabs: 'the-key-of-elevenlabs-1234567890',
};

let folder: string | undefined;
afterEach(async () => {
  await killCommands();
  if (folder !== undefined) await rm(folder, { recursive: true });
  folder = undefined;
});

/** Everything that callers and avatars may do with secrets, rightly and wrongly. */
async function useThem(port: number): Promise<string> {
  const at = `http://127.0.0.1:${port}`;
  const authorization = `Bearer ${SECRETS.token}`;
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const json = { 'content-type': 'application/json' };
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(at + path, { redirect: 'manual', ...init });
  await ask('/api', { headers: { authorization } });
  await ask('/api', { headers: { authorization: `Bearer ${SECRETS.token}-wrong` } });
  await ask(`/api/agents?token=${SECRETS.token}`, { headers: { authorization } });
  await ask(`/nothing/${SECRETS.token}?key=${SECRETS.openai}`, { headers: { authorization } });
  const login = await ask('/login', { method: 'POST', headers: form, body: `token=${SECRETS.token}` });
  await ask('/login', { method: 'POST', headers: form, body: `token=${SECRETS.agentToken}` });
  await ask('/api/login', { method: 'POST', headers: json, body: `{"token":"${SECRETS.token}","x":1}` });
  await ask('/api/login', { method: 'POST', headers: json, body: `{"token":"${SECRETS.token}` });
  await ask('/login', { method: 'POST', headers: json, body: `{"token":"${SECRETS.token}"}` });
  const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
  await ask('/api/agents/nobody', { headers: { cookie } });
  await ask(`/api/agents/${SECRETS.token}/speeches`, {
    method: 'POST',
    headers: { authorization },
    body: 'x',
  });
  await ask('/api/voices?engine=openai', { headers: { authorization } });
  for (const engine of ['openai', 'elevenlabs']) {
    const options = encodeURIComponent('{"baseUrl":"http://127.0.0.1:9"}');
    const path = `/api/agents/default/say?engine=${engine}&engineOptions=${options}&wait=finished`;
    await ask(path, { method: 'POST', headers: { authorization }, body: 'Hello there.' });
  }
  const { agentToken, token } = SECRETS;
  for (const path of [`/chat?token=${agentToken}`, `/chat?token=${token}`, `/caht?token=${agentToken}`])
    await rawUpgrade(port, path);
  await rawUpgrade(port, `/api/agents/x/stream?token=${token}`, {
    'Sec-WebSocket-Protocol': `bearer.${token}`,
  });
  await rawUpgrade(port, `/chat/${agentToken}?token=${agentToken}`, { Origin: 'https://evil.example' });
  await rawUpgrade(port, '/api/agents/x/stream', { 'Sec-WebSocket-Protocol': `bearer.${token}x` });
  return cookie.split('=')[1]!;
}

async function used(args: string[], env: Record<string, string>): Promise<[CommandRun, string]> {
  const run = command(
    ['serve', '--port', '0', '--log-level', 'debug', '--agent-timeout-ms', '300', ...args],
    {
      env: { OPENAI_API_KEY: SECRETS.openai, ELEVENLABS_API_KEY: SECRETS.elevenlabs, ...env },
    },
  );
  await run.says('listening on');
  const cookie = await useThem(Number(run.json()[0]!['port']));
  run.child.kill('SIGTERM');
  await run.exit;
  return [run, cookie];
}

describe('no secret', () => {
  it('is in a line of the log or on standard error, whatever was done with it', async () => {
    folder = await mkdtemp(join(tmpdir(), 'secrets-'));
    const file = join(folder, 'token');
    await writeFile(file, `${SECRETS.token}\n`);
    const [run, cookie] = await used(['--token-file', file, '--agent-token', SECRETS.agentToken], {});
    const said = run.out + run.err;
    // It has told of all of it, and of what was refused.
    expect(said).toContain('somebody has logged in');
    expect(said).toContain('a login was refused');
    expect(said).toContain('default connected from');
    expect(said).toContain('an avatar was refused');
    expect(said).toContain('a stream was refused');
    for (const [name, secret] of Object.entries({ ...SECRETS, cookie })) {
      expect([name, said.includes(secret), said.includes(encodeURIComponent(secret))]).toEqual([
        name,
        false,
        false,
      ]);
    }
  });

  it('is in a message about an option that is wrong', async () => {
    const bad = 'secret with spaces in it';
    for (const args of [
      ['--token', bad],
      ['--agent-token', bad],
      ['--token', 'tooshort-secret'],
    ]) {
      const run = await inProcess(['serve', '--port', '0', ...args]);
      expect(run.exit).toBe(2);
      expect(run.out + run.err).toMatch(/token cannot be what it is/);
      expect(run.out + run.err).not.toContain(args[1]);
    }
  });
});

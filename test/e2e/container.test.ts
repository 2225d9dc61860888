import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { command, killCommands } from '../support/command.js';
import { inProject } from '../support/paths.js';

afterEach(killCommands);

const lines = readFileSync(inProject('Containerfile'), 'utf8').replaceAll(/\\\n/g, '').split('\n');
/** What follows an instruction, the last of its name. */
const instruction = (name: string): string =>
  lines
    .filter((line) => line.trimStart().startsWith(`${name} `))
    .at(-1)!
    .trim()
    .slice(name.length + 1);
const listed = (text: string): string[] => JSON.parse(text.slice(text.indexOf('['))) as string[];

const ENV = Object.fromEntries(
  instruction('ENV')
    .split(' ')
    .map((pair) => pair.split('=') as [string, string]),
);
const ARGS = listed(instruction('CMD'));
const TOKEN = 'a-token-of-32-letters-and-digits';

async function healthy(port: string): Promise<number> {
  const [program, ...args] = listed(instruction('HEALTHCHECK'));
  const env = { ...process.env, ...ENV, MMDAGENT_BRIDGE_PORT: port };
  const child = spawn(program!, args, { stdio: 'ignore', env });
  const [code] = (await once(child, 'exit')) as [number];
  return code;
}

describe('what the image runs', () => {
  it('is not run by root and holds nothing of the checkout that it does not need', () => {
    expect(instruction('USER')).toBe('node');
    expect(listed(instruction('ENTRYPOINT'))).toEqual(['node', '/app/dist/cli/main.js']);
    const ignored = readFileSync(inProject('.dockerignore'), 'utf8').trim().split('\n');
    expect(ignored[0]).toBe('*');
    // Whatever the build copies is let through, and nothing that it does not.
    const copied = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
      .flatMap((line) => line.split(' ').slice(1, -1));
    expect(new Set(ignored.slice(1).map((line) => line.slice(1)))).toEqual(new Set(copied));
  });

  it('does not start without a token, and with one it is healthy until it is stopped', async () => {
    const bare = command(ARGS, { env: { ...ENV, MMDAGENT_BRIDGE_PORT: '0' } });
    const service = command(ARGS, {
      env: { ...ENV, MMDAGENT_BRIDGE_PORT: '0', MMDAGENT_BRIDGE_TOKEN: TOKEN },
    });
    expect(await bare.exit).toBe(1);
    expect(bare.err).toContain('[HOST_EXPOSED]');
    await service.says('listening on http://0.0.0.0:');
    const port = String(service.json()[0]!['port']);
    expect(await healthy(port)).toBe(0);
    service.child.kill('SIGTERM');
    expect(await service.exit).toBe(0);
    expect(await healthy(port)).toBe(1);
    expect(service.out + service.err).not.toContain(TOKEN);
  });
});

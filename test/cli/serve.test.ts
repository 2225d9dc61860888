import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { command, type CommandRun, inProcess, killCommands, start } from '../support/command.js';
import { inProject } from '../support/paths.js';
import { until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let folder: string;
let short: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serve-'));
  short = join(folder, 'short.wav');
  await writeFile(short, wavOf(noise(8000, 9000)));
});
afterEach(async () => {
  await killCommands();
  await rm(folder, { recursive: true });
});

async function serve(args: string[] = []): Promise<{ run: CommandRun; port: string }> {
  const run = command(['serve', '--port', '0', ...args]);
  await run.says('listening on');
  return { run, port: String(run.json()[0]!['port']) };
}

const messages = (run: CommandRun): string[] => run.json().map(({ msg }) => String(msg));

describe('serve', () => {
  it('says how avatars find it, and then what happens, a line each', async () => {
    const { run, port } = await serve();
    expect(run.json()[0]).toMatchObject({
      host: '127.0.0.1',
      path: '/chat',
      url: `http://127.0.0.1:${port}`,
      mdf: [
        'Plugin_Remote_Websocket_Host=127.0.0.1',
        `Plugin_Remote_Websocket_Port=${port}`,
        'Plugin_Remote_Websocket_Directory=/chat',
        'Plugin_Remote_RetryCount=100000',
      ],
    });
    const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat`, audioOpenMs: 0 });
    await avatar.connect();
    await run.says('ready after');
    const spoken = await inProcess(['speak', '--port', port, short]);
    expect(spoken.exit).toBe(0);
    avatar.leave();
    await run.says('disconnected');
    // Programs that read the log find by fields what a line is about.
    const fields = run.json().slice(1);
    expect(fields.map(({ agent }) => agent)).toEqual(fields.map(() => 'default'));
    expect(fields.filter(({ speech }) => speech === 's1')).toHaveLength(2);
    expect(messages(run).slice(1)).toEqual([
      expect.stringMatching(/^default connected from 127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^default: ready after \d+ ms, model 0$/),
      'default: speaks short.wav',
      expect.stringMatching(/^default: short\.wav finished: heard 0\.50 s of 0\.50 s, /),
      expect.stringMatching(/^default disconnected: The connection of agent default is gone/),
    ]);
    run.child.kill('SIGTERM');
    expect(await run.exit).toBe(0);
  });

  it('says at Ctrl-C which avatars end with it, stops what is spoken, and ends with 0', async () => {
    const { run, port } = await serve(['--stop-deadline-ms', '0']);
    const avatars = ['', '/mei'].map(
      (path) => new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat${path}`, audioOpenMs: 0 }),
    );
    for (const avatar of avatars) await avatar.connect();
    await until(() => avatars.every(({ state }) => state === 'ready'));
    const speaking = command(['speak', '--port', port, inProject('samples/hello.wav')]);
    await speaking.says('speaking');
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(0);
    expect(messages(run)).toContainEqual(
      expect.stringMatching(/^ending; these avatars end with their connection: default, mei\./),
    );
    expect(await speaking.exit).toBe(1);
    expect(speaking.out).toMatch(/hello\.wav: stopped: heard \d\.\d\d s of 4\.41 s/);
    expect(avatars.map((avatar) => avatar.report().died?.cause)).toEqual(['disconnected', 'disconnected']);
  });

  it('lets what is spoken be heard to its end at SIGTERM, and takes nothing more', async () => {
    const { run, port } = await serve(['--no-keeper', '--stop-deadline-ms', '60000']);
    const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat`, audioOpenMs: 0 });
    await avatar.connect();
    const long = join(folder, 'long.wav');
    await writeFile(long, wavOf(noise(24_000, 9000)));
    const speaking = command(['speak', '--port', port, long]);
    await speaking.says('speaking');
    run.child.kill('SIGTERM');
    await run.says('What is spoken may go on for up to 60 s');
    const late = await inProcess(['speak', '--port', port, short]);
    expect([late.exit, late.err]).toEqual([3, expect.stringContaining('[SERVICE_CLOSING]')]);
    expect(await speaking.exit).toBe(0);
    expect(await run.exit).toBe(0);
    // Padded to whole blocks.
    expect(avatar.report().segments).toMatchObject([{ receivedSamples: 24_064, closed: true }]);
  });

  it('ends at once at a second Ctrl-C', async () => {
    const { run, port } = await serve(['--stop-deadline-ms', '600000']);
    const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat`, audioOpenMs: 0 });
    await avatar.connect();
    const speaking = command(['speak', '--port', port, inProject('samples/hello.wav')]);
    await speaking.says('speaking');
    run.child.kill('SIGINT');
    await run.says('ending;');
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(130);
  });

  it('lives on when nobody reads its log', async () => {
    const { run, port } = await serve();
    run.child.stdout!.destroy();
    const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat`, audioOpenMs: 0 });
    await avatar.connect();
    await until(() => avatar.state === 'ready');
    const spoken = await inProcess(['speak', '--port', port, short]);
    expect(spoken.exit).toBe(0);
    expect(avatar.report().alive).toBe(true);
    avatar.leave();
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(0);
  });

  it('says in one line why it cannot start, each with its status', async () => {
    const { port } = await serve();
    const cases: [string[], number, string, RegExp][] = [
      [['--port', port], 3, 'PORT_IN_USE', new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is in use\\.`)],
      [['--host', '0.0.0.0'], 1, 'HOST_EXPOSED', /does not listen on 0\.0\.0\.0/],
      [['--host', '203.0.113.7'], 1, 'HOST_EXPOSED', /203\.0\.113\.7/],
      [['--port', '70000'], 2, 'OPTION_INVALID', /--port cannot be "70000": it takes 0 to 65535/],
      [['--path', '/api/x'], 2, 'OPTION_INVALID', /--path cannot be "\/api\/x"/],
      [['--lead-ms', 'much'], 2, 'OPTION_INVALID', /--lead-ms cannot be "much"/],
    ];
    for (const [args, status, code, text] of cases) {
      const { exit, err } = await inProcess(['serve', ...args]);
      expect([args, exit]).toEqual([args, status]);
      expect(err).toMatch(text);
      expect(err).toContain(`[${code}]`);
      expect(err.trimEnd().split('\n')).toHaveLength(2);
    }
  });

  it('speaks to people at a terminal', async () => {
    // `script` gives the command a terminal of its own. It runs it through a shell, which must not stay in between:
    // at Ctrl-C some shells end with 130 whatever their command ends with.
    const secret = 'the-token-of-the-avatars';
    const run = start(
      'script',
      [
        '-qec',
        `exec '${process.execPath}' dist/cli/main.js serve --port 0 --agent-token ${secret}`,
        '/dev/null',
      ],
      { cwd: inProject('.') },
    );
    await run.says('Ctrl-C ends the service');
    const port = /Websocket_Port=(\d+)/.exec(run.out)![1]!;
    // As it stands on the screen: it is there to be pasted.
    const directory = /Websocket_Directory=(\S+)/.exec(run.out)![1]!;
    expect(directory).toBe(`/chat?token=${secret}`);
    const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${port}${directory}`, audioOpenMs: 0 });
    await avatar.connect();
    await run.says('ready after');
    const sent = await inProcess(['send', '--port', port, '--agent', 'bob', 'A|1']);
    expect(sent.exit).toBe(3);
    avatar.leave();
    await run.says('disconnected');
    expect(run.out).toContain(`The console, for a browser: http://127.0.0.1:${port}/\r\n`);
    expect(run.out).toContain('  Plugin_Remote_Websocket_Host=127.0.0.1\r\n');
    expect(run.out).toContain('  Plugin_Remote_RetryCount=100000\r\n');
    expect(run.out).toMatch(/\d\d:\d\d:\d\d\.\d{3}\S* .*default connected from/);
    run.child.stdin!.write('\u0003');
    await run.says('ending; no avatar is connected');
    expect(await run.exit).toBe(0);
  });
});

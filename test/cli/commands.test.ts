import { PassThrough, type Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { command, type InProcess, inProcess, killCommands } from '../support/command.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';
import { sine } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
afterEach(async () => {
  await killCommands();
  await rig.close();
});

const run = (args: string[], stdin?: Readable): Promise<InProcess> =>
  inProcess([args[0]!, '--port', String(rig.port), ...args.slice(1)], stdin ? { stdin } : {});
const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('send', () => {
  it('sends each argument as a command, in order', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const { exit, out } = await run(['send', 'MOTION_ADD|0|bye|bye.vmd', 'CUE|二']);
    expect(exit).toBe(0);
    expect(lines(out)).toEqual(['sent: MOTION_ADD|0|bye|bye.vmd', 'sent: CUE|二']);
    await until(() => avatar.report().commands.at(-1)?.line === 'CUE|二');
  });

  it('reads lines from standard input as they come', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const input = new PassThrough();
    const sending = run(['send', '-'], input);
    input.write('A|1\r\n\nA|2\nA|');
    await until(() => avatar.report().commands.at(-1)?.line === 'A|2');
    input.end('3');
    expect((await sending).exit).toBe(0);
    await until(() => avatar.report().commands.at(-1)?.line === 'A|3');
  });

  it('refuses what would harm the avatar, and names the rule', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const cases: [string[], number, string, RegExp][] = [
      [['A\nB'], 2, 'COMMAND_INVALID', /it holds a line break/],
      [[`A|${'x'.repeat(2001)}`], 2, 'COMMAND_INVALID', /2001 bytes in UTF-8, and the limit is 2000/],
      [['B|1', 'SNDSTRM'], 2, 'COMMAND_INVALID', /it begins with SND/],
      [[''], 2, 'COMMAND_INVALID', /it is empty/],
      [['EXECUTE|rm'], 1, 'COMMAND_DANGEROUS', /runs a program/],
      [['-', 'A|1'], 2, 'OPTION_INVALID', /- stands alone/],
      [['--agent', 'bob', 'A|1'], 3, 'AGENT_UNKNOWN', /There is no agent "bob". Known are: default./],
      [
        ['--agent', 'bob', '--wait-ms', '50', 'A|1'],
        3,
        'AGENT_ABSENT',
        /Agent bob did not connect within 50 ms/,
      ],
    ];
    for (const [args, status, code, text] of cases) {
      const { exit, out, err } = await run(['send', ...args]);
      expect([args, exit]).toEqual([args, status]);
      expect(err).toMatch(text);
      expect(err).toContain(`[${code}]`);
      expect(out).toBe('');
    }
    const lines = avatar.report().commands.map(({ line }) => line);
    expect(lines.filter((line) => !/^(LIPSYNC_START|__AV_)/.test(line))).toEqual([]);
  });
});

describe('watch', () => {
  it('tells what the avatars say, a line each, and ends with the service', async () => {
    rig = await startService();
    const watching = command(['watch', '--port', String(rig.port)]);
    await watching.says('Following every avatar; known: none yet.');
    await rig.avatar({ name: 'mei' });
    await run(['send', '--agent', 'mei', 'CUE|\u001b[2Jx']);
    await watching.says('CUE|');
    await rig.service.close();
    expect(await watching.exit).toBe(0);
    expect(watching.err).toContain('The service has ended.');
    expect(watching.out).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}mei {2}\* connected from 127\.0\.0\.1:\d+$/m);
    expect(watching.out).toMatch(/mei {2}\* ready after \d+ ms, model 0$/m);
    expect(watching.out).toMatch(/mei {2}CUE\|\\u001b\[2Jx$/m);
    expect(watching.out, 'nothing that moves the cursor').not.toContain('\u001b');
  });

  it('tells machines with --json, of one avatar when asked', async () => {
    rig = await startService();
    const watching = command(['watch', '--json', '--agent', 'mei', '--port', String(rig.port)]);
    await watching.says('snapshot');
    await rig.avatar();
    await rig.avatar({ name: 'mei' });
    await watching.says('"ready"');
    const events = watching.json();
    expect(events.slice(1).every(({ agent }) => agent === 'mei')).toBe(true);
    watching.child.kill('SIGINT');
    expect(await watching.exit).toBe(130);
  });

  it('tells of those alone that --agent or the environment names', async () => {
    rig = await startService();
    const env = { MMDAGENT_BRIDGE_AGENT: 'mei' };
    const two = command(['watch', '--json', '--agent', 'mei,miku', '--port', String(rig.port)]);
    const one = command(['watch', '--json', '--port', String(rig.port)], { env });
    const all = command(['watch', '--json', '--agent', 'all', '--port', String(rig.port)], { env });
    const watching = [two, one, all];
    for (const { says } of watching) await says('snapshot');
    for (const name of ['default', 'miku', 'mei']) await rig.avatar({ name });
    for (const { says } of watching) await says(/"ready".*"mei"|"mei".*"ready"/);
    const told = watching.map((run) => [
      ...new Set(
        run
          .json()
          .slice(1)
          .map(({ agent }) => agent),
      ),
    ]);
    expect(told).toEqual([['miku', 'mei'], ['mei'], ['default', 'miku', 'mei']]);
  });

  it('ends when nobody reads it any more', async () => {
    rig = await startService();
    const watching = command(['watch', '--port', String(rig.port)]);
    await watching.says('Following');
    watching.child.stdout!.destroy();
    const avatar = await rig.avatar();
    await until(async () => {
      await run(['send', 'A|1']);
      return watching.child.exitCode !== null;
    });
    expect(avatar.report().alive).toBe(true);
  });

  it('says so when the service breaks off', async () => {
    rig = await startService();
    const service = command(['serve', '--no-keeper', '--port', '0']);
    await service.says('listening on');
    const port = /"port":(\d+)/.exec(service.out)![1]!;
    const watching = command(['watch', '--port', port]);
    await watching.says('Following');
    service.child.kill('SIGKILL');
    expect(await watching.exit).toBe(3);
    expect(watching.err).toContain('[SERVICE_LOST]');
  });
});

describe('agents and queue', () => {
  it('list who is there and what is spoken', async () => {
    rig = await startService({ bufferMs: 60_000 });
    expect((await run(['agents'])).out).toBe('No avatar is connected.\n');
    await rig.avatar();
    await rig.avatar({ name: 'メイ' });
    expect((await run(['queue'])).out).toBe('default has nothing to speak.\n');
    for (const label of ['one.wav', 'two.wav']) {
      await rig.ask('POST', `/api/agents/default/speeches?label=${label}`, {
        body: wavOf(sine(16_000 * 5, 440, 9000)),
      });
    }
    await until(() => rig.bridge.agent().speeches[0]!.state === 'speaking');
    const rows = lines((await run(['agents'])).out);
    expect(rows[0]).toMatch(/^NAME {5}STATE {2}MODEL {2}SPEAKING/);
    expect(rows[1]).toMatch(/^default {2}ready {2}0 {6}one\.wav {3}\d\.\d\d s \/ 5\.00 s {2}\d+ ms {1,3}1/);
    expect(rows[2]).toMatch(/^メイ {5}ready {2}0 {6}-/);
    const queue = lines((await run(['queue'])).out);
    expect(queue[1]).toMatch(/^s\d {2}speaking {2}\d\.\d\d s \/ 5\.00 s {2}one\.wav$/);
    expect(queue[2]).toMatch(/^s\d {2}queued {4}0\.00 s .*two\.wav$/);
    const json = JSON.parse((await run(['agents', '--json'])).out) as object[];
    expect(json).toMatchObject([{ name: 'default', speaking: true }, { name: 'メイ' }]);
  });
});

describe('stop, pause and resume', () => {
  it('do what they say', async () => {
    rig = await startService({ bufferMs: 60_000 });
    await rig.avatar();
    const ids: string[] = [];
    for (const label of ['one.wav', 'two.wav']) {
      const { json } = await rig.ask('POST', `/api/agents/default/speeches?label=${label}`, {
        body: wavOf(sine(16_000 * 5, 440, 9000)),
      });
      ids.push(json['id']!);
    }
    await until(() => rig.bridge.agent().speeches[0]!.positionMs > 100);
    expect(await run(['pause'])).toMatchObject({ exit: 0, out: 'default: paused\n' });
    expect(rig.bridge.agent().snapshot().paused).toBe(true);
    expect(await run(['resume'])).toMatchObject({ exit: 0, out: 'default: going on\n' });
    const one = await run(['stop', ids[1]!]);
    expect(one).toMatchObject({
      exit: 0,
      out: expect.stringContaining('two.wav: stopped: heard 0.00 s') as string,
    });
    const all = await run(['stop']);
    expect(all.out).toMatch(/^default is silent: \d\.\d\d s heard\n$/);
    const unknown = await run(['stop', 's99']);
    expect(unknown).toMatchObject({ exit: 3, err: expect.stringContaining('[SPEECH_UNKNOWN]') as string });
  });
});

describe('--json', () => {
  it('tells machines what every command has done, and what went wrong', async () => {
    rig = await startService();
    await rig.avatar();
    const { json: speech } = await rig.ask('POST', '/api/agents/default/speeches?label=one.wav', {
      body: wavOf(sine(16_000 * 5, 440, 9000)),
    });
    const id = speech['id']!;
    const cases: [string[], object][] = [
      [['send', 'A|1'], { command: 'A|1', sent: true }],
      [['queue'], [{ id, label: 'one.wav' }]],
      [['pause'], { name: 'default', paused: true }],
      [['resume'], { name: 'default', paused: false }],
      [['stop', id], { id, end: { how: 'stopped' } }],
      [['stop'], { heardMs: 0, dropped: 0 }],
      [['voices'], { voices: expect.any(Array) as unknown[] }],
      [
        ['voices', '--engines'],
        expect.arrayContaining([expect.objectContaining({ name: 'auto' })]) as object,
      ],
      [['send', 'SNDSTRM'], { type: 'error', error: { code: 'COMMAND_INVALID' } }],
      [['restart'], { type: 'error', error: { code: 'KEEPER_NONE' } }],
    ];
    for (const [args, answer] of cases) {
      const { out, err } = await run([...args, '--json']);
      expect([args, err]).toEqual([args, '']);
      expect({ args, told: JSON.parse(out) as unknown }).toMatchObject({ args, told: answer });
    }
  });
});

describe('wrong usage', () => {
  it('ends with 2 and says where help is', async () => {
    rig = await startService();
    for (const args of [
      [],
      ['sing'],
      ['speak'],
      ['agents', '--loud'],
      ['speak', '--priority', 'high', 'x.wav'],
    ]) {
      const { exit, err } = await inProcess(args);
      expect([args, exit]).toEqual([args, 2]);
      expect(err).toMatch(/--help/);
    }
    for (const args of [['--help'], ['speak', '--help'], ['--version']]) {
      const { exit, out } = await inProcess(args);
      expect([args, exit]).toEqual([args, 0]);
      expect(out).not.toBe('');
    }
  });
});

describe('send', () => {
  it('warns of a command that the catalogue does not know or whose arguments it lacks, and sends it', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const send = (...args: string[]): ReturnType<typeof inProcess> =>
      inProcess(['send', '--port', String(rig.port), ...args]);
    const mistyped = await send('MOTON_ADD|0|nod|nod.vmd');
    expect([mistyped.exit, mistyped.out]).toEqual([0, 'sent: MOTON_ADD|0|nod|nod.vmd\n']);
    expect(mistyped.err).toMatch(/warning: MOTON_ADD is no command .*; did you mean MOTION_ADD\?/);
    const short = await send('MOTION_ADD|0');
    expect(short.err).toMatch(/warning: MOTION_ADD does not take these arguments. Usage: MOTION_ADD\|/);
    for (const args of [['--force', 'MY_EVENT|1'], ['MOTION_ADD|0|nod|nod.vmd'], ['__AV_TRACK,1,2']])
      expect((await send(...args)).err).toBe('');
    await until(() => avatar.report().commands.some(({ line }) => line === 'MY_EVENT|1'));
  });

  it('finds the service by --url, and by MMDAGENT_BRIDGE_URL', async () => {
    rig = await startService();
    await rig.avatar();
    const url = `http://127.0.0.1:${rig.port}`;
    expect((await inProcess(['agents', '--url', url])).out).toContain('default');
    const env = { MMDAGENT_BRIDGE_URL: `${url}/`, MMDAGENT_BRIDGE_PORT: '1' };
    expect((await inProcess(['agents'], { env })).out).toContain('default');
    expect((await inProcess(['agents', '--port', '1'], { env })).exit).toBe(3);
    expect((await inProcess(['agents', '--url', 'here'])).exit).toBe(2);
  });
});

describe('help', () => {
  it('shows what --help shows, of all commands and of one', async () => {
    rig = await startService();
    for (const args of [[], ['speak']]) {
      const help = await inProcess(['help', ...args]);
      expect([help.exit, help.out]).toEqual([0, (await inProcess([...args, '--help'])).out]);
      expect(help.out).toContain('Usage: mmdagent-bridge');
    }
  });
});

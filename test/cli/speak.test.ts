import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_NAME } from '../../src/base/version.js';
import { compareHeard } from '../../src/simulator/index.js';
import {
  command,
  type InProcess,
  inProcess,
  type InProcessOptions,
  killCommands,
} from '../support/command.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';
import { concat, noise, sine } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig | undefined;
let folder: string;
const file = (name: string): string => join(folder, name);
const short = noise(8000, 9000, 1);
const other = noise(4096, 9000, 2);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'speak-'));
  await writeFile(file('short.wav'), wavOf(short));
  await writeFile(file('other.wav'), wavOf(other));
  await writeFile(file('long.wav'), wavOf(sine(16_000 * 20, 440, 9000)));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(async () => {
  await killCommands();
  await rig?.close();
  rig = undefined;
});

const speak = (args: string[], port = rig!.port): ReturnType<typeof command> =>
  command(['speak', '--port', String(port), ...args]);
const speakHere = (args: string[], port = rig!.port, options: InProcessOptions = {}): Promise<InProcess> =>
  inProcess(['speak', '--port', String(port), ...args], options);

describe('speak', () => {
  it('ends with 0 when the avatar has heard the file, sample by sample', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const run = speak([file('short.wav'), '--lead-ms', '500']);
    expect(await run.exit).toBe(0);
    expect(compareHeard(short, avatar.heard()).exact).toBe(true);
    expect(run.out.split('\n')).toEqual([
      'short.wav: WAV, 16-bit PCM, 16000 Hz, mono, 0.50 s',
      'short.wav: speaking',
      'short.wav: finished: heard 0.50 s of 0.50 s, no gaps',
      '',
    ]);
    expect(run.err).toBe('');
  });

  it('takes file addresses and names with a newline, a quotation mark or Japanese', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const names = ['new\nline.wav', `it's "quoted" #1 50%.wav`, 'こんにちは　世界.wav'];
    for (const name of names) {
      await writeFile(file(name), wavOf(short));
      for (const path of [file(name), pathToFileURL(file(name)).href]) {
        const { exit, err } = await speakHere([path]);
        expect([path, exit, err]).toEqual([path, 0, '']);
      }
    }
    const absent = await speakHere([pathToFileURL(file('absent.wav')).href]);
    expect([absent.exit, absent.err]).toEqual([3, expect.stringContaining('[FILE_NOT_FOUND]')]);
    expect(avatar.report().segments).toHaveLength(2 * names.length);
    expect(avatar.report().segments.every(({ receivedSamples }) => receivedSamples === 8192)).toBe(true);
  });

  it('tells machines with --json', async () => {
    rig = await startService();
    await rig.avatar();
    const run = speak(['--json', file('short.wav')]);
    expect(await run.exit).toBe(0);
    const lines = run.json();
    expect(lines[0]).toMatchObject({ type: 'accepted', label: 'short.wav' });
    expect(lines.at(-1)).toMatchObject({ type: 'ended', how: 'completed', heardMs: 500 });
    expect(lines.some(({ type }) => type === 'position')).toBe(true);
  });

  it('speaks several files in order, standard input among them', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const run = command(['speak', '--port', String(rig.port), file('short.wav'), '-', file('other.wav')], {
      input: wavOf(other),
    });
    expect(await run.exit).toBe(0);
    // Each is filled to whole blocks of 256 samples.
    const padded = (samples: Int16Array): Int16Array =>
      concat([samples, new Int16Array((256 - (samples.length % 256)) % 256)]);
    expect(compareHeard(concat([padded(short), padded(other), other]), avatar.heard()).exact).toBe(true);
    expect(run.out).toContain('standard input: finished');
  });

  it('sends cues at their moments, and takes the other options', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    await writeFile(
      file('cues.json'),
      JSON.stringify([
        { atMs: 0, send: 'CUE|first' },
        { atMs: -100, send: 'CUE|last' },
      ]),
    );
    const run = await speakHere([
      '--cues',
      file('cues.json'),
      '--priority',
      '5',
      '--lead-ms',
      '200',
      '--interrupt',
      file('short.wav'),
    ]);
    expect(run.exit).toBe(0);
    expect(run.out).toContain('short.wav: cue at 0.00 s: CUE|first');
    const lines = avatar.report().commands.map(({ line }) => line);
    expect(lines.filter((line) => line.startsWith('CUE'))).toEqual(['CUE|first', 'CUE|last']);
    expect(avatar.report().maxHeldMs).toBeGreaterThan(150);
  });

  it('stops the speech at Ctrl-C, not the service, and says what was heard', async () => {
    rig = await startService();
    await rig.avatar();
    const run = speak([file('long.wav'), file('short.wav')]);
    await until(() => (rig!.bridge.agent().speeches[0]?.positionMs ?? 0) > 200);
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(130);
    expect(run.out).toMatch(/long\.wav: stopped: heard \d\.\d\d s of 20\.00 s/);
    expect(rig.bridge.agent().speeches).toEqual([]);
    expect(rig.bridge.agent().state).toBe('ready');
  });

  it('ends at Ctrl-C while it waits for an avatar, and leaves nothing behind', async () => {
    rig = await startService();
    const run = speak([file('short.wav')]);
    await run.says('no avatar is connected; waiting for default');
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(130);
    await until(() => rig!.bridge.agents().length === 0);
  });

  it('ends at Ctrl-C while its sound does not come', async () => {
    rig = await startService();
    await rig.avatar();
    const run = speak(['-']);
    await until(() => rig!.bridge.agent().speeches.length === 1);
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(130);
    await until(() => rig!.bridge.agent().speeches.length === 0);
  });

  it('stops the speech when it is killed', async () => {
    rig = await startService();
    await rig.avatar();
    const run = speak([file('long.wav')]);
    await run.says('speaking');
    run.child.kill('SIGKILL');
    await until(() => rig!.bridge.agent().speeches.length === 0);
  });

  it('ends with 4 when its --timeout-ms is over', async () => {
    rig = await startService();
    await rig.avatar();
    const run = speak(['--timeout-ms', '1500', file('long.wav')]);
    expect(await run.exit).toBe(4);
    expect(run.err).toContain('speak took longer than 1500 ms.');
    expect(run.err).toContain('[TIMEOUT]');
    await until(() => rig!.bridge.agent().speeches.length === 0);
  });

  it('queues behind a speech that sounds', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const first = speak([file('short.wav')]);
    await first.says('speaking');
    const second = speak([file('other.wav')]);
    expect([await first.exit, await second.exit]).toEqual([0, 0]);
    const heard = avatar.heard();
    expect(compareHeard(short, heard.subarray(0, 8192)).exact).toBe(true);
    expect(compareHeard(other, heard.subarray(8192)).exact).toBe(true);
  });

  it('says what is wrong with a file, each with its status', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    await writeFile(file('empty.wav'), '');
    await writeFile(
      file('notes.wav'),
      'Dear diary, this is not a sound at all. It only has the name of one.\n',
    );
    await writeFile(file('mute.wav'), wavOf(new Int16Array(0)));
    await writeFile(file('locked.wav'), wavOf(short));
    await chmod(file('locked.wav'), 0o000);
    await writeFile(file('bad.json'), '[{"atMs": "soon", "send": "A"}]');
    // Root may read whatever is locked, but not this.
    const locked = process.getuid?.() === 0 ? '/proc/self/mem' : file('locked.wav');
    const cases: [string[], number, string, RegExp][] = [
      [[file('nothing.wav')], 3, 'FILE_NOT_FOUND', /There is no file '.*nothing\.wav'/],
      [[file('short.wav'), file('nothing.wav')], 3, 'FILE_NOT_FOUND', /nothing\.wav/],
      [[folder], 1, 'FILE_UNREADABLE', /is a folder, not a sound file/],
      [[locked], 1, 'FILE_UNREADABLE', /(may not|could not) be read/],
      [[file('empty.wav')], 1, 'SOUND_EMPTY', /empty\.wav' is empty/],
      [[file('notes.wav')], 1, 'SOUND_UNKNOWN', /notes\.wav is a text and no sound\. It says 'Dear diary/],
      [[file('mute.wav')], 1, 'SOUND_EMPTY', /mute\.wav/],
      [['--cues', file('bad.json'), file('short.wav')], 1, 'CUES_INVALID', /bad\.json/],
      [['--cues', folder, file('short.wav')], 1, 'FILE_UNREADABLE', /'.*' is a folder, not a file/],
      [['--token-file', folder, file('short.wav')], 1, 'FILE_UNREADABLE', /is a folder, not a file/],
      [['--tls-ca', folder, file('short.wav')], 1, 'FILE_UNREADABLE', /is a folder, not a file/],
      [
        ['--lead-ms', '5', file('short.wav')],
        2,
        'OPTION_INVALID',
        /--lead-ms cannot be "5": it takes 20 to 2000 ms/,
      ],
      [['--agent', 'no name', file('short.wav')], 2, 'AGENT_NAME_INVALID', /"no name" is no name/],
    ];
    for (const [args, status, code, text] of cases) {
      const { exit, err } = await speakHere(args);
      expect([args, exit]).toEqual([args, status]);
      expect(err).toMatch(text);
      expect(err).toContain(`[${code}]`);
      expect(err, 'no stack trace').not.toMatch(/^\s+at /m);
    }
    expect(avatar.report().samplesReceived).toBe(0);
  });

  it('speaks a file that is cut off up to there, and says so', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    await writeFile(file('cut.wav'), wavOf(short).subarray(0, 44 + 2 * 4096));
    const { exit, out } = await speakHere([file('cut.wav')]);
    expect(exit).toBe(0);
    expect(out).toContain('cut.wav: warning: cut.wav is cut off: its last 244 ms are missing.');
    expect(compareHeard(short.subarray(0, 4096), avatar.heard()).exact).toBe(true);
  });

  it('tells an error to machines as JSON', async () => {
    rig = await startService();
    const run = await speakHere(['--json', file('nothing.wav')]);
    expect(run.exit).toBe(3);
    expect(
      run.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([{ type: 'error', error: { code: 'FILE_NOT_FOUND', status: 404 } }]);
    expect(run.err).toBe('');
  });

  it('waits for an agent that is not there, says so, and gives up', async () => {
    rig = await startService({ agentTimeoutMs: 300 });
    const run = await speakHere(['--agent', 'bob', file('short.wav')]);
    expect(run.exit).toBe(3);
    expect(run.out).toContain('short.wav: no avatar is connected; waiting for bob.');
    expect(run.err).toContain('Agent bob did not connect within 300 ms.');
    expect(run.err).toContain('[AGENT_ABSENT]');
  });

  it('ends with the reason when the avatar vanishes, and the next avatar works', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const run = speak([file('long.wav')]);
    await until(() => avatar.report().samplesHeard > 4000);
    avatar.leave();
    expect(await run.exit).toBe(3);
    expect(run.out).toMatch(/long\.wav: broke off: heard 0\.\d\d s of 20\.00 s/);
    expect(run.err).toContain('[AGENT_LOST]');
    await rig.avatar();
    expect((await speakHere([file('short.wav')])).exit).toBe(0);
  });

  it('says that no service runs, and how to start one', async () => {
    const free = createTcpServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const run = await speakHere([file('short.wav')], port);
    expect(run.exit).toBe(3);
    expect(run.err).toContain(`No service answers at 127.0.0.1:${port}`);
    expect(run.err).toContain('mmdagent-bridge serve');
    expect(run.err).toContain('[SERVICE_NOT_RUNNING]');
  });

  it('says that another program answers', async () => {
    const programs = [
      createServer((_, response) => response.end('<html>It works!</html>')),
      createServer((_, response) => response.writeHead(404).end('{"error":"nothing here"}')),
      createServer((request) => request.socket.destroy()),
      createTcpServer((socket) => socket.end('220 mail.example ESMTP\r\n')),
    ];
    for (const program of programs) {
      await new Promise<void>((resolve) => program.listen(0, '127.0.0.1', resolve));
      const { port } = program.address() as AddressInfo;
      const run = await speakHere([file('short.wav')], port);
      expect(run.exit).toBe(3);
      expect(run.err).toContain(`What listens at 127.0.0.1:${port} is not the service`);
      expect(run.err).toContain('[SERVICE_PROTOCOL]');
      program.close();
    }
  });

  it('believes the last word of the service, however the connection ends after it', async () => {
    const said = [
      { type: 'accepted', speech: 's1' },
      { type: 'ended', how: 'completed', heardMs: 500, durationMs: 500, gaps: { count: 0 } },
    ];
    const program = createServer((request, response) => {
      if (request.url === '/api') return void response.end(JSON.stringify({ service: PACKAGE_NAME }));
      // Its end is never told.
      request.resume();
      response.write(said.map((event) => `${JSON.stringify(event)}\n`).join(''));
    });
    await new Promise<void>((resolve) => program.listen(0, '127.0.0.1', resolve));
    const { port } = program.address() as AddressInfo;
    const { exit, err } = await speakHere([file('short.wav')], port);
    expect([exit, err]).toEqual([0, '']);
    program.close();
    program.closeAllConnections();
  });

  it('finds the service by the environment, and a flag goes before it', async () => {
    rig = await startService();
    await rig.avatar({ name: 'mei' });
    const env = { MMDAGENT_BRIDGE_PORT: String(rig.port), MMDAGENT_BRIDGE_AGENT: 'mei' };
    expect((await inProcess(['speak', file('short.wav')], { env })).exit).toBe(0);
    const flag = await speakHere([file('short.wav')], rig.port, {
      env: { ...env, MMDAGENT_BRIDGE_PORT: '1' },
    });
    expect(flag.exit).toBe(0);
    const wrong = await inProcess(['speak', file('short.wav')], { env: { MMDAGENT_BRIDGE_PORT: 'nine' } });
    expect(wrong.exit).toBe(2);
    expect(wrong.err).toContain('MMDAGENT_BRIDGE_PORT cannot be "nine"');
  });

  it('shows its progress in one line that changes in place, at a terminal', async () => {
    rig = await startService();
    await rig.avatar();
    const { exit, out } = await speakHere([file('short.wav'), '--lead-ms', '400'], rig.port, {
      columns: 100,
    });
    expect(exit).toBe(0);
    expect(out).toMatch(/short\.wav \[#+\.*\] 0\.\d\d s \/ 0\.50 s {2}held \d+ ms \(lead 400\)\r/);
    const shown = out.split('\n').map((line) => line.split('\r\x1b[2K').at(-1));
    expect(shown.slice(-2)).toEqual(['short.wav: finished: heard 0.50 s of 0.50 s, no gaps', '']);
    const narrow = await speakHere([file('short.wav')], rig.port, { columns: 30 });
    const lines = narrow.out.split('\n').flatMap((line) => line.split('\r\x1b[2K'));
    expect(lines.filter((line) => line.includes('[#')).every((line) => line.length < 30)).toBe(true);
  });

  it('stops all when one of several fails', async () => {
    rig = await startService();
    await rig.avatar();
    await writeFile(
      file('diary.wav'),
      'Dear diary, this is not a sound at all. It only has the name of one.\n',
    );
    const { exit, out } = await speakHere([file('diary.wav'), file('long.wav'), file('long.wav')]);
    expect(exit).toBe(1);
    expect(out).not.toContain('long.wav');
    await until(() => rig!.bridge.agent().speeches.length === 0);
  });
});

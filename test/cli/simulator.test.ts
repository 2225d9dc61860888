import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SimulatorReport } from '../../src/simulator/index.js';
import { command, inProcess, killCommands } from '../support/command.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simulator-'));
});
afterEach(async () => {
  await killCommands();
  await rig.close();
  await rm(folder, { recursive: true });
});

describe('simulator', () => {
  it('connects, hears, and writes what it heard and what became of it at Ctrl-C', async () => {
    rig = await startService();
    const port = String(rig.port);
    const [record, report] = [join(folder, 'heard.wav'), join(folder, 'report.json')];
    const run = command([
      'simulator',
      '--port',
      port,
      '--count',
      '2',
      '--audio-open-ms',
      '0',
      '--record',
      record,
      '--report',
      report,
    ]);
    await run.says('simulator 1: ready');
    await run.says('simulator 2: ready');
    const { out } = await inProcess(['agents', '--port', port]);
    expect(out).toContain('default-2');
    const { status } = await rig.ask('POST', '/api/agents/default/speeches?wait=finished', {
      body: wavOf(noise(8000, 9000)),
    });
    expect(status).toBe(200);
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(0);
    const reports = JSON.parse(await readFile(report, 'utf8')) as SimulatorReport[];
    const heard = reports.map(({ samplesHeard }) => samplesHeard).sort((a, b) => b - a);
    expect(heard).toEqual([8192, 0]);
    const files = await Promise.all([record, join(folder, 'heard-2.wav')].map((path) => readFile(path)));
    expect(files.map(({ length }) => length).sort((a, b) => b - a)).toEqual([44 + 8192 * 2, 44]);
    expect(run.out).toMatch(/simulator \d: heard 8192 samples \(0\.51 s\)/);
  });

  it('tells machines with --json', async () => {
    rig = await startService();
    let press: (() => void) | undefined;
    const running = inProcess(['simulator', '--json', '--port', String(rig.port)], {
      ctrlC: (given) => (press = given),
    });
    await until(() => rig.bridge.findAgent('default')?.state === 'ready');
    press!();
    const { exit, out, err } = await running;
    expect([exit, err]).toEqual([0, '']);
    const told = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    expect(told.map(({ type }) => type)).toEqual(expect.arrayContaining(['connected', 'command', 'ready']));
  });

  it('ends with 1 when its connection is gone, as the real one dies', async () => {
    rig = await startService();
    const port = String(rig.port);
    const report = join(folder, 'report.json');
    const run = command(['simulator', '--port', port, '--report', report]);
    await run.says('simulator: ready');
    await rig.bridge.close();
    expect(await run.exit).toBe(1);
    expect(run.out).toContain('simulator: The other side ended the connection.');
    expect(JSON.parse(await readFile(report, 'utf8'))).toMatchObject({ died: { cause: 'disconnected' } });
  });

  it('says why it is not let in', async () => {
    rig = await startService();
    const port = String(rig.port);
    const cases: [string[], number, string][] = [
      [['--port', '1'], 3, 'SERVICE_NOT_RUNNING'],
      [['--port', port, '--path', '/elsewhere'], 1, 'AGENT_REFUSED'],
      [['--url', 'http://127.0.0.1'], 2, 'OPTION_INVALID'],
      [
        ['--report', join(folder, 'no/such/folder.json'), '--port', port, '--timeout-ms', '500'],
        1,
        'FILE_UNWRITABLE',
      ],
    ];
    for (const [args, status, code] of cases) {
      const { exit, err } = await inProcess(['simulator', ...args]);
      expect([args, exit, err.includes(`[${code}]`) || err]).toEqual([args, status, true]);
    }
  });

  it('is a TCP server that a service connects to, or a TCP client of one', async () => {
    const server = command(['simulator', '--tcp-server', '0', '--json']);
    await server.says('listening');
    const { port } = server.json()[0] as { port: number };
    rig = await startService({ tcpConnect: [`127.0.0.1:${port}=hana`], tcpListen: ['0=taro'] });
    await server.says('"type":"ready"');
    const { out } = await inProcess(['agents', '--port', String(rig.port)]);
    expect(out).toContain('hana');
  });
});

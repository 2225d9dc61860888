import { watch } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SimulatedAvatar } from '../../../src/simulator/index.js';
import { command, killCommands } from '../../support/command.js';
import { rawGet, statusOf } from '../../support/raw-http.js';
import { type ServiceRig, startService, until } from '../../support/service-rig.js';
import { noise } from '../../support/signals.js';
import { StreamClient } from '../../support/stream-client.js';
import { wavOf } from '../../support/wav.js';

let rig: ServiceRig | undefined;
let folder: string | undefined;
afterEach(async () => {
  await killCommands();
  await rig?.close();
  rig = undefined;
  if (folder !== undefined) await rm(folder, { recursive: true });
  folder = undefined;
});

describe('no path', () => {
  it('leads out of the files that are served, however it is written', async () => {
    rig = await startService();
    const ups = ['../', '..%2f', '%2e%2e/', '%2e%2e%2f', '..%5c', '..\\', '.%2e/', '%252e%252e%252f', '..;/'];
    const odd = [
      '..%c0%af',
      '%uff0e%uff0e/',
      '....//',
      '..%00/',
      '%2e%2e%u2215',
      '\u002e\u002e/',
      '..%ef%bc%8f',
    ];
    const starts = ['/', '/console/', '/api/', '/login/', '/console/main.js/', '/api/agents/'];
    const ends = ['package.json', 'etc/passwd', 'src/config.ts', 'dist/cli/main.js'];
    let asked = 0;
    for (const start of starts) {
      for (const up of [...ups, ...odd]) {
        for (const [i, end] of ends.entries()) {
          if (i !== asked % ends.length) continue;
          const path = start + up.repeat(start === '/' ? 2 : 8) + end;
          const answer = await rawGet(rig.port, path);
          expect([path, [400, 403, 404].includes(statusOf(answer))]).toEqual([path, true]);
          expect(answer).not.toMatch(/root:|devDependencies|createProgram|import /);
        }
        asked += 1;
      }
    }
    for (const path of [
      'http://evil.example/',
      '//evil.example/',
      '/\\evil.example',
      '*',
      '/%',
      '/\u0000',
      '?x',
    ])
      expect([path, statusOf(await rawGet(rig.port, path)) < 500]).toEqual([path, true]);
  });
});

describe('what is uploaded', () => {
  it('never touches the disk', async () => {
    folder = await mkdtemp(join(tmpdir(), 'disk-'));
    const [home, temp] = [join(folder, 'home'), join(folder, 'tmp')];
    await Promise.all([home, temp].map((path) => mkdir(path)));
    const touched: string[] = [];
    const watches = [home, temp].map((path) => watch(path, (_event, name) => touched.push(String(name))));
    const service = command(['serve', '--port', '0'], {
      cwd: home,
      env: { TMPDIR: temp, HOME: home, XDG_CACHE_HOME: join(home, 'cache') },
    });
    await service.says('listening on');
    const port = Number(service.json()[0]!['port']);
    const avatar = new SimulatedAvatar({
      url: `ws://127.0.0.1:${port}/chat`,
      audioOpenMs: 0,
      readyAfterMs: 50,
    });
    await avatar.connect();
    const at = `http://127.0.0.1:${port}/api/agents/default/speeches?wait=finished&leadMs=1000`;
    const upload = (body: Uint8Array, more: RequestInit = {}): Promise<Response> =>
      fetch(at, { method: 'POST', body: new Blob([new Uint8Array(body)]), ...more });
    const short = wavOf(noise(4000, 9000));
    expect((await upload(short)).status).toBe(200);
    expect((await upload(short.subarray(0, 20))).status).toBe(422);
    // Larger than anything that is read ahead, so that it would have to go somewhere.
    const stop = new AbortController();
    const cut = upload(wavOf(noise(16_000 * 60, 9000)), {
      signal: stop.signal,
      headers: { accept: 'application/x-ndjson' },
    }).catch(() => undefined);
    await until(() => avatar.report().samplesReceived > 20_000);
    stop.abort();
    await cut;
    await service.says('is stopped');
    const client = await StreamClient.open(port);
    client.say({ type: 'start', format: 's16le:16000:1' });
    client.sound(noise(4000, 9000));
    client.say({ type: 'end' });
    await client.next('ended');
    client.socket.close();
    avatar.leave();
    service.child.kill('SIGTERM');
    await service.exit;
    watches.forEach((watched) => watched.close());
    expect([touched, await readdir(home), await readdir(temp)]).toEqual([[], [], []]);
  });
});

describe('without --allow-dangerous', () => {
  it('no command that runs a program, fetches a file or ends the avatar leaves, by whatever way', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const { port } = rig;
    const before = avatar.report().commandCount;
    const dangerous = [
      'EXECUTE|calc.exe',
      'KEY_POST|x|a|1|0|0|0',
      'NETWORK_GET|a|http://evil.example/|x',
      'OPEN_CONTENT|/tmp/x',
      'PLUGIN_DISABLE|Remote',
      'PLUGIN_ENABLE|Remote',
      '__AV_MESSAGE,EXECUTE|calc.exe',
      '__AV_MESSAGE,__AV_MESSAGE,EXECUTE|calc.exe',
    ];
    const sound = wavOf(noise(4000, 9000));
    const client = await StreamClient.open(port);
    for (const [i, send] of dangerous.entries()) {
      const cues = [{ atMs: 0, send }];
      const query = encodeURIComponent(JSON.stringify(cues));
      for (const [path, options] of [
        ['commands', { json: { commands: ['A|1', send] } }],
        [`speeches?cues=${query}`, { body: sound }],
        [`say?cues=${query}`, { body: 'Hello.' }],
      ] as const) {
        const { status, json } = await rig.ask('POST', `/api/agents/default/${path}`, options);
        expect([send, path, status, json['code']]).toEqual([send, path, 403, 'COMMAND_DANGEROUS']);
      }
      client.say({ type: 'commands', commands: [send] });
      client.say({ type: 'start', format: 's16le:16000:1', cues });
      client.say({ type: 'cue', ...cues[0]! });
      const errors = [1, 2].map((n) => client.next('error', i * 3 + n));
      expect((await Promise.all(errors)).map(({ error }) => error.code)).toEqual([
        'COMMAND_DANGEROUS',
        'COMMAND_DANGEROUS',
      ]);
      await client.next('error', i * 3 + 3);
    }
    expect(avatar.report().commandCount).toBe(before);
    expect(rig.bridge.agent().speeches).toEqual([]);
  });

  it('no text names a program, a file or a secret of the service’s machine', async () => {
    rig = await startService();
    await rig.avatar();
    folder = await mkdtemp(join(tmpdir(), 'engine-'));
    const marker = join(folder, 'ran');
    const program = join(folder, 'program.sh');
    await writeFile(program, `#!/bin/sh\ntouch '${marker}'\n`, { mode: 0o755 });
    const cases: [string, object][] = [
      ['espeak-ng', { program }],
      ['program', { program: [program] }],
      ['command-line', { program }],
      ['piper', { program, model: '/etc/passwd' }],
      ['piper', { model: '/etc/passwd' }],
      ['flite', { wasmFile: '/etc/passwd' }],
      ['openai', { keyEnv: 'PATH' }],
      ['elevenlabs', { keyEnv: 'PATH', baseUrl: 'http://127.0.0.1:9' }],
    ];
    for (const [engine, engineOptions] of cases) {
      const query = `engine=${engine}&engineOptions=${encodeURIComponent(JSON.stringify(engineOptions))}`;
      for (const [method, path] of [
        ['POST', `/api/agents/default/say?${query}`],
        ['GET', `/api/voices?${query}`],
      ] as const) {
        const { status, json } = await rig.ask(method, path, method === 'POST' ? { body: 'Hello.' } : {});
        expect([path, status, json['code']]).toEqual([path, 403, 'COMMAND_DANGEROUS']);
      }
    }
    await until(() => rig!.bridge.agent().speeches.length === 0);
    expect(await readdir(folder)).toEqual(['program.sh']);
  });
});

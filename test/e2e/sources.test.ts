import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { command, killCommands } from '../support/command.js';
import { needs } from '../support/needs.js';
import { inProject } from '../support/paths.js';
import { PULSE_PROGRAMS, startPulse } from '../support/pulse.js';
import { type ServiceRig, startService } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

const run = promisify(execFile);
let rig: ServiceRig | undefined;
let folder: string;

beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'sources-'))));
afterAll(() => rm(folder, { recursive: true }));
afterEach(async () => {
  await killCommands();
  await rig?.close();
  rig = undefined;
});

const [withEspeak, withFfmpeg, withPulse] = [
  await needs('espeak-ng'),
  await needs('ffmpeg'),
  await needs(...PULSE_PROGRAMS),
];

describe('through the command', () => {
  it('a program’s output is spoken while it is piped in', withEspeak, async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const { stdout } = await run('espeak-ng', ['--stdout', '-v', 'en', 'Piped speech.'], {
      encoding: 'buffer',
    });
    const speak = command(['speak', '--port', String(rig.port), '-'], { input: stdout });
    expect(await speak.exit).toBe(0);
    expect(speak.out).toMatch(/standard input: WAV, 16-bit PCM, 22050 Hz, mono/);
    expect(avatar.heard().length).toBeGreaterThan(8000);
    expect(Math.max(...avatar.heard())).toBeGreaterThan(1000);
  });

  it('several formats in a row are spoken, joined without a gap', withFfmpeg, async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const files = ['a.mp3', 'b.flac', 'c.opus', 'd.webm', 'e.m4a'].map((name) => join(folder, name));
    await Promise.all(
      files.map((file) =>
        run('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'sine=frequency=440:duration=0.5', file]),
      ),
    );
    const speak = command(['speak', '--port', String(rig.port), '--join', ...files]);
    expect(await speak.exit).toBe(0);
    for (const name of ['a.mp3', 'b.flac', 'c.opus', 'd.webm', 'e.m4a']) {
      expect(speak.out).toMatch(new RegExp(`${name}: finished: heard 0\\.[45]`));
    }
    const report = avatar.report();
    expect(report.faults).toEqual([]);
    expect(avatar.heard().length / 16).toBeGreaterThan(2300);
  });

  it('an address is fetched and spoken; a page is an error that shows its first line', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const samples = noise(8000, 9000, 5);
    const server = createServer((request, response) => {
      if (request.url?.startsWith('/voice.wav') === true) return void response.end(wavOf(samples));
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<h1>Not here</h1>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const speak = command(['speak', '--port', String(rig.port), `${base}/voice.wav?token=secret`]);
      expect(await speak.exit, speak.err).toBe(0);
      expect(speak.out).not.toContain('secret');
      expect(compareHeard(samples, avatar.heard()).exact).toBe(true);
      const page = command(['speak', '--port', String(rig.port), `${base}/page`]);
      expect(await page.exit).toBe(1);
      expect(page.err).toContain('Not here');
    } finally {
      server.close();
    }
  });

  it('what was sent can be saved, sample by sample', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const saved = join(folder, 'sent.wav');
    const speak = command([
      'speak',
      '--port',
      String(rig.port),
      '--save',
      saved,
      inProject('samples/hello.wav'),
    ]);
    expect(await speak.exit).toBe(0);
    const bytes = await readFile(saved);
    expect(bytes.subarray(0, 4).toString()).toBe('RIFF');
    const samples = new Int16Array(
      bytes.buffer.slice(bytes.byteOffset + 44, bytes.byteOffset + bytes.length),
    );
    expect(compareHeard(samples, avatar.heard()).exact).toBe(true);
  });

  it('headerless data is spoken when its format is named', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const samples = noise(8000, 9000, 6);
    const input = Buffer.from(samples.buffer);
    const speak = command(['speak', '--port', String(rig.port), '--format', 's16le:16000:1', '-'], { input });
    expect(await speak.exit).toBe(0);
    expect(compareHeard(samples, avatar.heard()).exact).toBe(true);
  });

  it('a microphone is heard live, and Ctrl-C ends it', withPulse, async () => {
    const pulse = await startPulse();
    try {
      pulse.play(noise(16_000, 9000, 7));
      rig = await startService();
      const avatar = await rig.avatar();
      const mic = command([
        'mic',
        '--port',
        String(rig.port),
        '--recorder',
        'parec',
        '--device',
        pulse.source,
      ]);
      await mic.says(/microphone: speaking/);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      mic.child.kill('SIGINT');
      expect(await mic.exit).toBe(0);
      expect(mic.out).toMatch(/microphone: finished: heard \d.* arrival to wire \d+ ms, at most \d+ ms/);
      expect(avatar.heard().length / 16).toBeGreaterThan(500);
      expect(Math.max(...avatar.heard())).toBeGreaterThan(3000);
    } finally {
      await pulse.stop();
    }
  });

  it('a microphone tells machines how old its sound is when it goes to the avatar', async () => {
    rig = await startService();
    await rig.avatar();
    const programs = await mkdtemp(join(folder, 'programs-'));
    const script = 'while :; do /usr/bin/head -c 1920 /dev/urandom; /bin/sleep 0.02; done';
    await writeFile(join(programs, 'parec'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const mic = command(
      ['mic', '--json', '--gate', '--pre-roll-ms', '700', '--recorder', 'parec', '--port', String(rig.port)],
      { env: { PATH: programs } },
    );
    await mic.says(/"position".*"from":"arrival"/);
    mic.child.kill('SIGINT');
    expect(await mic.exit).toBe(0);
    const events = mic.json();
    const figures = { from: 'arrival', p50Ms: expect.any(Number) as number };
    const told = events.filter(({ type, latency }) => type === 'position' && latency !== null).at(-1);
    expect(told?.['latency']).toMatchObject(figures);
    expect(events.at(-1)).toMatchObject({ type: 'ended', latency: figures });
    const { p50Ms } = events.at(-1)!['latency'] as { p50Ms: number };
    expect(p50Ms, 'a period and two frames at the least').toBeGreaterThan(20);
    const refused = command(['mic', '--gate', '--pre-roll-ms', '2001', '--port', String(rig.port)]);
    expect(await refused.exit).toBe(2);
    expect(refused.err).toMatch(/preRollMs cannot be 2001: it takes 0 to 2000 ms/);
  });

  it('a recorder that is not installed is named, with what to do', async () => {
    rig = await startService();
    await rig.avatar();
    const mic = command(['mic', '--port', String(rig.port), '--recorder', 'parec'], {
      env: { PATH: folder },
    });
    expect(await mic.exit).not.toBe(0);
    expect(mic.err).toMatch(/parec/);
    expect(mic.err).toMatch(/RECORDER_MISSING/);
  });

  it('doctor tells what is there, and the service with its avatar', async () => {
    rig = await startService();
    await rig.avatar();
    const doctor = command(['doctor', '--port', String(rig.port), '--json']);
    expect(await doctor.exit).toBe(0);
    const findings = JSON.parse(doctor.out) as { what: string; state: string }[];
    expect(findings).toContainEqual(expect.objectContaining({ what: 'avatar default', state: 'ok' }));
    expect(findings.find(({ what }) => what === 'Node')?.state).toBe('ok');
  });
});

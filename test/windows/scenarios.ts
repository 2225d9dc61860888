/**
 * Steps that a user on Windows takes, run by node.exe with real Windows pipes. Plain TypeScript without imports of the
 * project, because node.exe runs it as it stands: `node.exe scenarios.ts REPORT`.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const report = process.argv[2]!;
const project = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const main = join(project, 'dist', 'cli', 'main.js');
const hello = join(project, 'samples', 'hello.wav');
const folder = mkdtempSync(join(tmpdir(), 'bridge windows '));
const WAIT_MS = 60_000;

interface Run {
  readonly child: ChildProcess;
  readonly text: () => string;
  readonly exit: Promise<number | null>;
}

const running = new Set<ChildProcess>();

function start(args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): Run {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    cwd: options.cwd ?? folder,
    env: { ...process.env, ...options.env },
  });
  running.add(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  const exit = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
  void exit.then(() => running.delete(child));
  return { child, text: () => text, exit };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const began = Date.now(); !(await holds());) {
    if (Date.now() - began > WAIT_MS) throw new Error(`timed out: ${what}`);
    await new Promise((again) => setTimeout(again, 50));
  }
}

async function listening(service: Run): Promise<void> {
  await until('serve listens', () => {
    expect(service.child.exitCode === null, `serve ended: ${service.text()}`);
    return service.text().includes('listening on');
  });
}

function expect(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}

/** Runs a command to its end. @throws Error unless it ends with `code` and says each of `texts` */
async function runs(
  args: readonly string[],
  code: number,
  texts: readonly RegExp[],
  cwd?: string,
): Promise<string> {
  const run = start(args, cwd === undefined ? {} : { cwd });
  const status = await run.exit;
  const told = `${args.join(' ')} ended with ${status}:\n${run.text()}`;
  expect(status === code, told);
  for (const text of texts) expect(text.test(run.text()), `no ${String(text)} in: ${told}`);
  return run.text();
}

const failures: string[] = [];
async function scenario(name: string, steps: () => Promise<void>): Promise<void> {
  const began = Date.now();
  let told = 'ok    ';
  try {
    await steps();
  } catch (error) {
    failures.push(name);
    told = 'FAILED';
    appendFileSync(report, `${error instanceof Error ? error.message : String(error)}\n`);
  }
  appendFileSync(report, `${told} ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)\n`);
}

await scenario('demo: the avatar hears every sample', () =>
  runs(['demo'], 0, [/samples heard +70504/, /gaps +0/, /rules broken +0/]).then(() => undefined),
);

const service = start(['serve', '--port', '0', '--json']);
let port = '';
const at = (): string[] => ['--port', port];
const api = (path: string): Promise<Record<string, unknown>> =>
  new Promise((done, failed) => {
    // A connection of its own: one that is kept leads to the worker that it was made to.
    get({ host: '127.0.0.1', port, path, agent: false }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (part: string) => (body += part));
      answer.on('end', () => done(JSON.parse(body) as Record<string, unknown>)).on('error', failed);
    }).on('error', failed);
  });
const workerPid = async (): Promise<number> => Number((await api('/api'))['pid']);
let simulator: Run | undefined;

await scenario('serve with its keeper, and an avatar connects', async () => {
  await listening(service);
  port = /"port":(\d+)/.exec(service.text())![1]!;
  simulator = start(['simulator', ...at()]);
  await until('the avatar is ready', async () => {
    const { agents } = (await api('/api/agents')) as { agents: { state: string }[] };
    return agents.some(({ state }) => state === 'ready');
  });
});

await scenario('speak: a file by its plain path', async () => {
  await runs(['speak', hello, ...at()], 0, [/heard 4\.41 s/]);
});

await scenario(
  'speak: Japanese names, spaces, drive-relative, verbatim and forward-slash paths',
  async () => {
    const japanese = join(folder, '音 声', 'こんにちは 世界.wav');
    mkdirSync(dirname(japanese));
    copyFileSync(hello, japanese);
    const drive = folder.slice(0, 2);
    copyFileSync(hello, join(folder, 'near.wav'));
    const deep = join(folder, ...Array.from({ length: 6 }, (_, i) => `${'long'.repeat(9)}${i}`), 'deep.wav');
    mkdirSync(dirname(deep), { recursive: true });
    copyFileSync(hello, deep);
    for (const path of [
      japanese,
      `${drive}near.wav`,
      `\\\\?\\${japanese}`,
      japanese.replaceAll('\\', '/'),
      deep,
    ])
      await runs(['speak', path, ...at()], 0, [/heard 4\.41 s/]);
    await runs(['speak', `${drive}\\no such file.wav`, ...at()], 3, [/no such file\.wav/]);
  },
);

await scenario('speak: a UTF-16 cue file as PowerShell writes it', async () => {
  const cues = join(folder, 'cues.vtt');
  writeFileSync(
    cues,
    Buffer.from('\ufeffWEBVTT\r\n\r\n00:00.500 --> 00:01.000\r\nMOTION_ADD|0|bye|bye.vmd\r\n', 'utf16le'),
  );
  await runs(['speak', hello, '--cues', cues, ...at()], 0, [/1 cue/]);
});

await scenario('say: the built-in English voice', async () => {
  await runs(['say', 'Hello from Windows.', ...at()], 0, [/heard/]);
});

await scenario('say: an engine that is a batch file is refused with advice', async () => {
  const batch = join(folder, 'engine.cmd');
  writeFileSync(batch, '@echo off\r\n');
  const alone = start(['serve', '--port', '0', '--json', '--no-keeper', '--allow-dangerous']);
  await listening(alone);
  const other = /"port":(\d+)/.exec(alone.text())![1]!;
  const run = start(['say', 'x', '--engine', 'command', '--program', `${batch} {text}`, '--port', other]);
  const code = await run.exit;
  alone.child.kill();
  expect(code !== 0 && /batch file/.test(run.text()), `ended with ${code}: ${run.text()}`);
});

await scenario('stop: a speech ends at once', async () => {
  const speech = start(['speak', hello, hello, hello, ...at()]);
  await until('it speaks', async () => (await api('/api/agents/default'))['speaking'] === true);
  await runs(['stop', ...at()], 0, []);
  expect((await speech.exit) !== 0, `a stopped speech ended with 0: ${speech.text()}`);
});

await scenario('restart: a speech under way is whole, the avatar lives', async () => {
  const before = await workerPid();
  const speech = start(['speak', hello, ...at()]);
  await until('it speaks', async () => (await api('/api/agents/default'))['speaking'] === true);
  await runs(['restart', ...at()], 0, []);
  expect((await speech.exit) === 0, `the speech: ${speech.text()}`);
  expect(/heard 4\.41 s/.test(speech.text()), speech.text());
  await until('another worker answers', async () => (await workerPid()) !== before);
});

await scenario('a killed worker: the avatar lives, and the next speech is whole', async () => {
  const before = await workerPid();
  process.kill(before, 'SIGKILL');
  await until('another worker answers', async () => (await workerPid().catch(() => before)) !== before);
  await until('the avatar is ready', async () => (await api('/api/agents/default'))['state'] === 'ready');
  await runs(['speak', hello, ...at()], 0, [/heard 4\.41 s/]);
  expect(simulator?.child.exitCode === null, `the avatar ended: ${simulator?.text() ?? ''}`);
});

await scenario('a program in the current folder is not started in place of one on PATH', async () => {
  const here = join(folder, 'here');
  mkdirSync(here);
  // It would fail to run; a doctor that found it would name this folder.
  copyFileSync(process.execPath, join(here, 'ffmpeg.exe'));
  const told = start(['doctor', ...at()], { cwd: here });
  await told.exit;
  expect(!told.text().includes(join(here, 'ffmpeg.exe')), told.text());
});

for (const child of running) child.kill('SIGKILL');
try {
  rmSync(folder, { recursive: true, force: true });
} catch {
  // A process that is just ending can still hold a file.
  expect(readdirSync(folder).length >= 0, '');
}
appendFileSync(report, failures.length === 0 ? 'all passed\n' : `${failures.length} failed\n`);
process.exit(failures.length === 0 ? 0 : 1);

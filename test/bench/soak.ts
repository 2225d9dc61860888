import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { createBridge } from '../../src/index.js';
import { inProject } from '../support/paths.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';
import type { EarsTasks } from './ears-process.js';
import { now, sleep } from './now.js';
import { Companion } from './processes.js';

/*
 * `npm run soak -- --minutes 25 --kills --restarts --stops`: a service with its keeper, simulated avatars and clients of
 * every kind as real processes, for as long as asked. Meanwhile the worker is killed, restarts are planned, speeches are
 * interrupted. Every speech that was told to be completed is compared with what its avatar heard, sample by sample.
 * Exits with 1 when a sample is lost, an avatar died, a rule of its wire was broken or a client failed without a reason.
 */

const USAGE = `npm run soak -- [--minutes N] [--kills] [--restarts] [--stops] [--avatars N]
  --minutes   how long, 3 by default
  --kills     SIGKILL the worker now and then
  --restarts  plan a restart now and then (SIGHUP)
  --stops     interrupt an avatar now and then
  --avatars   how many, 4 by default`;

/** A client that meets a killed worker may fail; so long after it none may any more, in ms. */
const KILL_AFTERMATH_MS = 15_000;
/** What was told to be completed is in the avatar's ears after so long, in ms. */
const HEARD_WITHIN_MS = 5000;
const AMPLITUDE = 9000;
const LIBRARY = 'library';
/** A connection of its own: a kept one that the service closes in the same moment would be no loss of the service. */
const OWN_CONNECTION = { connection: 'close' };
const TYPE = { 'content-type': 'audio/wav', ...OWN_CONNECTION };

/** How a client's speech ended: by its kind, or by the code of its error. */
type Outcome = string;

/** One that a client asked for. */
interface Asked {
  readonly agent: string;
  readonly seed: number;
  readonly samples: Int16Array;
}

type Client = (asked: Asked) => Promise<Outcome>;

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    avatars: { type: 'string', default: '4' },
    kills: { type: 'boolean', default: false },
    restarts: { type: 'boolean', default: false },
    stops: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (flags.help) {
  console.log(USAGE);
  process.exit();
}
const minutes = Number(flags.minutes);
const avatarCount = Number(flags.avatars);
if (!(minutes > 0) || !(avatarCount >= 1)) {
  console.error(USAGE);
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), 'mmdagent-soak-'));
const endMs = now() + minutes * 60_000;
const figures = {
  asked: 0,
  completed: 0,
  whole: 0,
  stopped: 0,
  cutByKill: 0,
  askedAgain: 0,
  kills: 0,
  restarts: 0,
  interruptions: 0,
};
const byClient: Record<string, number> = {};
const losses: string[] = [];
/** Told to be completed, and not in the ears in time: looked for once more at the end. */
const unheard: (Asked & { readonly kind: string })[] = [];
let port = 0;
let lastKillMs = -Infinity;
let nextSeed = 1;

const random = (from: number, to: number): number => from + Math.random() * (to - from);
const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;
const base = (): string => `http://127.0.0.1:${port}/api`;
const running = (): boolean => now() < endMs;

/** Starts the service. @returns its process, once it listens */
async function serve(): Promise<ChildProcess> {
  const voice = join(folder, 'voice.wav');
  await writeFile(voice, wavOf(noise(12_000, AMPLITUDE, 999_999)));
  const config = join(folder, 'bridge.yaml');
  await writeFile(config, `engine: program\nengineOptions: { program: 'cat ${voice}' }\n`);
  const child = spawn(
    process.execPath,
    [inProject('src/cli/main.js'), 'serve', '--port', '0', '--config', config],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, MMDAGENT_BRIDGE_PORT: '' } },
  );
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text.slice(0, 100_000 - out.length)));
  child.stderr.setEncoding('utf8').on('data', (text: string) => process.stderr.write(text));
  for (let i = 0; i < 300; i += 1) {
    const found = /"port":(\d+)/.exec(out);
    if (found) {
      port = Number(found[1]);
      return child;
    }
    if (child.exitCode !== null) break;
    await sleep(100);
  }
  throw new Error(`The service did not start:\n${out}`);
}

/** The code of a failed answer, or what it says. */
async function failure(response: Response): Promise<Outcome> {
  const { code, end } = (await response.json()) as { code?: string; end?: { how: string } };
  return code ?? end?.how ?? `HTTP ${response.status}`;
}

const upload: Client = async ({ agent, samples }) => {
  const body = wavOf(samples);
  const url = `${base()}/agents/${agent}/speeches?wait=finished`;
  const response = await fetch(url, { method: 'POST', headers: TYPE, body });
  if (!response.ok) return failure(response);
  return ((await response.json()) as { end: { how: Outcome } }).end.how;
};

/** An upload that is still being made while it is spoken. */
const slowUpload: Client = async ({ agent, samples }) => {
  const bytes = wavOf(samples);
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      for (let at = 0; at < bytes.length; at += 8192) {
        controller.enqueue(bytes.subarray(at, at + 8192));
        await sleep(60);
      }
      controller.close();
    },
  });
  const url = `${base()}/agents/${agent}/speeches?wait=finished`;
  const response = await fetch(url, { method: 'POST', headers: TYPE, body, duplex: 'half' });
  if (!response.ok) return failure(response);
  return ((await response.json()) as { end: { how: Outcome } }).end.how;
};

const stream: Client = ({ agent, samples }) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/agents/${agent}/stream`);
    const done = (outcome: Outcome): void => {
      resolve(outcome);
      socket.close();
    };
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`The stream closed with ${code}.`)));
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'start', format: 's16le:16000:1', label: 'soak' }));
      const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
      for (let at = 0; at < bytes.length; at += 8192) socket.send(bytes.subarray(at, at + 8192));
      socket.send(JSON.stringify({ type: 'end' }));
    });
    socket.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString()) as {
        type: string;
        how?: string;
        error?: { code?: string } | null;
      };
      if (message.type === 'ended')
        done(message.how === 'completed' ? 'completed' : (message.error?.code ?? message.how!));
      if (message.type === 'error') done(message.error?.code ?? 'error');
    });
  });

const commandLine: Client = async ({ agent, samples, seed }) => {
  const file = join(folder, `upload-${seed}.wav`);
  await writeFile(file, wavOf(samples));
  const child = spawn(
    process.execPath,
    [inProject('src/cli/main.js'), 'speak', file, '--port', String(port), '--agent', agent],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
  const [code] = (await once(child, 'close')) as [number | null];
  await rm(file);
  if (code === 0) return 'completed';
  return /\[([A-Z_]+)\]/.exec(told)?.[1] ?? `exit status ${code}: ${told.trim().slice(-300)}`;
};

const CLIENTS: Record<string, Client> = {
  upload,
  'slow upload': slowUpload,
  stream,
  'command line': commandLine,
};

/** Speaks a text; the voice is the same sound each time, so it is not compared. */
async function say(agent: string): Promise<Outcome> {
  const url = `${base()}/agents/${agent}/say?wait=finished`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'text/plain', ...OWN_CONNECTION },
    body: 'Hello.',
  });
  if (!response.ok) return failure(response);
  return ((await response.json()) as { end: { how: Outcome } }).end.how;
}

/** Waits until what was completed is in the ears of its avatar. @returns false when it is not */
async function heardWhole(ears: Companion<EarsTasks>, { agent, seed, samples }: Asked): Promise<boolean> {
  const lateMs = now() + HEARD_WITHIN_MS;
  for (;;) {
    const task = { name: agent, seed, amplitude: AMPLITUDE, samples: samples.length, everywhere: false };
    if (await ears.call('heardWhole', task)) return true;
    if (now() > lateMs) return false;
    await sleep(200);
  }
}

/** Counts how a client's speech ended. @returns true when it is to be asked for again */
function judge(what: string, outcome: Outcome, askedMs: number): boolean {
  if (outcome === 'completed') figures.completed += 1;
  else if (flags.stops && (outcome === 'SPEECH_STOPPED' || outcome === 'stopped')) figures.stopped += 1;
  else if (flags.restarts && outcome === 'RESTARTING') {
    figures.askedAgain += 1;
    return true;
  } else if (lastKillMs + KILL_AFTERMATH_MS > askedMs) figures.cutByKill += 1;
  else losses.push(`${what} failed without a reason: ${outcome}`);
  return false;
}

async function clientLoop(agent: string, ears: Companion<EarsTasks>): Promise<void> {
  while (running()) {
    const kind = pick([...Object.keys(CLIENTS), 'say']);
    const seed = nextSeed++;
    const asked: Asked = {
      agent,
      seed,
      samples: noise(Math.round(random(0.4, 4) * 16_000), AMPLITUDE, seed),
    };
    figures.asked += 1;
    byClient[kind] = (byClient[kind] ?? 0) + 1;
    for (let again = true; again;) {
      const askedMs = now();
      const outcome = await (kind === 'say' ? say(agent) : CLIENTS[kind]!(asked)).catch(
        (error: unknown) =>
          `${String(error)}${(error as Error).cause ? `: ${String((error as Error).cause)}` : ''}`,
      );
      again = judge(`${kind} ${seed} for ${agent}`, outcome, askedMs);
      if (again) await sleep(300);
      if (outcome !== 'completed' || kind === 'say') continue;
      if (await heardWhole(ears, asked)) figures.whole += 1;
      else unheard.push({ ...asked, kind });
    }
    await sleep(random(0, 1200));
  }
}

/** The library in a process of its own: this one. */
async function libraryLoop(ears: Companion<EarsTasks>): Promise<void> {
  const bridge = await createBridge({ port: 0 });
  try {
    const url = `ws://127.0.0.1:${bridge.address.port}/chat`;
    await ears.call('connect', { url, group: LIBRARY, names: [LIBRARY], record: true });
    while (running()) {
      const seed = nextSeed++;
      const samples = noise(Math.round(random(0.4, 4) * 16_000), AMPLITUDE, seed);
      figures.asked += 1;
      byClient[LIBRARY] = (byClient[LIBRARY] ?? 0) + 1;
      const speech = bridge.agent(LIBRARY).speak(samples, { sampleRateHz: 16_000 });
      const end = await speech.finished;
      judge(`library ${seed}`, end.how, now());
      if (end.how === 'completed') {
        if (await heardWhole(ears, { agent: LIBRARY, seed, samples })) figures.whole += 1;
        else losses.push(`library ${seed} was told to be completed and not heard whole`);
      }
      await sleep(random(0, 1200));
    }
  } finally {
    await ears.call('leave', LIBRARY);
    await bridge.close();
  }
}

/** The worker of the moment; nothing while there is none. */
async function workerPid(): Promise<number | undefined> {
  try {
    const response = await fetch(base(), {
      headers: OWN_CONNECTION,
      signal: AbortSignal.timeout(2000),
    });
    return ((await response.json()) as { pid: number }).pid;
  } catch {
    return undefined;
  }
}

/** Kills the worker or has a restart planned, now and then, one after the other. */
async function disturb(service: ChildProcess): Promise<void> {
  const kinds = [...(flags.kills ? ['kill'] : []), ...(flags.restarts ? ['restart'] : [])];
  while (kinds.length > 0 && running()) {
    await sleep(random(8000, 22_000));
    if (!running()) return;
    const before = await workerPid();
    if (before === undefined) continue;
    if (pick(kinds) === 'kill') {
      figures.kills += 1;
      lastKillMs = now();
      process.kill(before, 'SIGKILL');
    } else {
      figures.restarts += 1;
      service.kill('SIGHUP');
    }
    const lateMs = now() + 60_000;
    for (;;) {
      const pid = await workerPid();
      if (pid !== undefined && pid !== before) break;
      if (now() > lateMs) {
        losses.push('No new worker came within a minute.');
        break;
      }
      await sleep(200);
    }
  }
}

async function interruptions(names: readonly string[]): Promise<void> {
  while (flags.stops && running()) {
    await sleep(random(3000, 9000));
    const response = await fetch(`${base()}/agents/${pick(names)}/interrupt`, {
      method: 'POST',
      headers: OWN_CONNECTION,
    }).catch(() => undefined);
    if (response?.ok) figures.interruptions += 1;
    await response?.arrayBuffer().catch(() => undefined);
  }
}

const startedMs = now();
const service = await serve();
const ears = new Companion<EarsTasks>('ears-process');
let exitCode = 1;
try {
  const names = Array.from({ length: avatarCount }, (_, i) => `a${i}`);
  await ears.call('connect', { url: `ws://127.0.0.1:${port}/chat`, group: 'all', names, record: true });
  const progress = setInterval(() => {
    const { asked, completed, whole } = figures;
    console.log(
      `${Math.round((now() - startedMs) / 1000)} s: ${asked} asked for, ${completed} completed, ${whole} whole, ${losses.length} losses`,
    );
  }, 30_000);
  await Promise.all([
    ...names.flatMap((name) => [clientLoop(name, ears), clientLoop(name, ears)]),
    libraryLoop(ears),
    disturb(service),
    interruptions(names),
  ]);
  clearInterval(progress);
  const reports = await ears.call('reports', 'all');
  let heardLate = 0;
  for (const { agent, seed, samples, kind } of unheard) {
    const task = { name: agent, seed, amplitude: AMPLITUDE, samples: samples.length, everywhere: true };
    if (await ears.call('heardWhole', task)) {
      heardLate += 1;
      continue;
    }
    const dropped = JSON.stringify(reports[names.indexOf(agent)]?.samplesDropped);
    losses.push(
      `${kind} ${seed} of ${samples.length} samples was told to be completed, and ${agent} has not heard it whole; it dropped ${dropped}`,
    );
  }
  for (const [i, report] of reports.entries()) {
    if (!report.alive) losses.push(`Avatar ${names[i]} died: ${report.died?.detail ?? 'no reason told'}`);
    if (report.attempts !== 1) losses.push(`Avatar ${names[i]} connected ${report.attempts} times.`);
    for (const { severity, rule, detail } of report.faults)
      if (severity === 'fault')
        losses.push(`Avatar ${names[i]} was sent what breaks rule ${rule}: ${detail}`);
  }
  const gapMs = reports.reduce((sum, report) => sum + report.gapMs, 0);
  const gapCount = reports.reduce((sum, report) => sum + report.gapCount, 0);
  console.log(`\nsoak: ${minutes} min, ${avatarCount} avatars of the service and 1 of the library`);
  console.log(
    `  speeches asked for          ${figures.asked} (${Object.entries(byClient)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(', ')})`,
  );
  console.log(`  completed                   ${figures.completed}`);
  console.log(`  compared and whole          ${figures.whole}`);
  console.log(`  whole, but heard late       ${heardLate}`);
  console.log(`  stopped by an interruption  ${figures.stopped} of ${figures.interruptions} interruptions`);
  console.log(`  asked for again             ${figures.askedAgain} (RESTARTING)`);
  console.log(`  cut by a kill               ${figures.cutByKill} of ${figures.kills} kills`);
  console.log(`  planned restarts            ${figures.restarts}`);
  console.log(
    `  avatars alive               ${reports.filter(({ alive }) => alive).length} of ${reports.length}`,
  );
  console.log(`  gaps that the avatars heard ${gapCount}, ${Math.round(gapMs)} ms in all`);
  console.log(`  losses                      ${losses.length}`);
  for (const loss of losses.slice(0, 50)) console.log(`    ${loss}`);
  exitCode = losses.length === 0 && figures.whole > 0 ? 0 : 1;
} finally {
  await ears.call('leave', 'all').catch(() => undefined);
  await ears.close();
  service.kill('SIGTERM');
  if (service.exitCode === null) await once(service, 'exit');
  await rm(folder, { recursive: true, force: true });
}
process.exit(exitCode);

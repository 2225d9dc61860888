import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Keeper } from '../../src/keeper/keeper.js';
import { SharedState } from '../../src/keeper/shared-state.js';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { wavOf } from '../support/wav.js';
import { LEAD_MS, speechLikeNoise } from './load.js';
import { now, sharedClock, sleep } from './now.js';
import { spread } from './statistics.js';
import type { Bench, Row } from './table.js';

/** What a crash and a restart cost those who listen, and what the keeper costs all the time. */
export const keeper: Bench = {
  name: 'keeper',
  title: 'From SIGKILL of the worker to the next frame; planned restarts; what the keeper costs',
  async run(quick) {
    return [
      ...(quick ? [] : await crashes(quick, true)),
      ...(await crashes(quick, false)),
      ...(quick ? [] : await restarts()),
      ...costs(quick),
      ...(await endurance(quick)),
    ];
  },
};

/** What is spoken after a crash, told from what was spoken before by its samples: 1 s. */
const NEXT_SAMPLE = 12_345;
const NEXT = new Int16Array(16_000).fill(NEXT_SAMPLE);

/** The command `serve` in processes of its own, and one simulated avatar here. */
class Served {
  readonly avatar: SimulatedAvatar;
  readonly port: number;
  readonly #child: ChildProcess;
  /** When the last frame of `NEXT` came whose one before was none, on the shared clock. */
  nextMs = -Infinity;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    this.avatar = new SimulatedAvatar({
      url: `ws://127.0.0.1:${port}/chat`,
      record: false,
      audioOpenMs: 0,
      clock: sharedClock,
    });
    let within = false;
    this.avatar.on('audio', ({ samples }) => {
      const next = samples[0] === NEXT_SAMPLE;
      if (next && !within) this.nextMs = now();
      within = next;
    });
  }

  static async start(args: readonly string[]): Promise<Served> {
    const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
    const child = spawn(process.execPath, [main, 'serve', '--port', '0', '--first-sound-ms', '0', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (data: Buffer) => (out += data.toString()));
    while (!out.includes('\n')) await once(child.stdout, 'data');
    const { port } = JSON.parse(out.slice(0, out.indexOf('\n'))) as { port: number };
    const served = new Served(child, port);
    await served.avatar.connect();
    await served.ready();
    return served;
  }

  /** The keeper's process id. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** The process that answers. */
  async worker(): Promise<number> {
    return ((await this.#get('/api')) as { pid: number }).pid;
  }

  /** Processes beside the keeper. */
  workers(): number[] {
    return readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number);
  }

  async ready(): Promise<void> {
    for (;;) {
      const { agents } = (await this.#get('/api/agents')) as { agents: { state: string }[] };
      if (agents[0]?.state === 'ready') return;
      await sleep(10);
    }
  }

  /** Has a sound spoken. @returns when it has been taken on, or with `finished` when it has been heard */
  async speak(sound: Int16Array, wait: 'accepted' | 'finished'): Promise<true> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/agents/default/speeches?wait=${wait}`, {
      method: 'POST',
      body: new Uint8Array(wavOf(sound, 16_000)),
      headers: { connection: 'close', 'content-type': 'audio/wav' },
    });
    await answer.text();
    if (!answer.ok) throw new Error(`a speech was refused: ${answer.status}`);
    return true;
  }

  async restart(): Promise<void> {
    const before = await this.worker();
    process.kill(this.pid, 'SIGHUP');
    while ((await this.worker()) === before) await sleep(10);
  }

  async close(): Promise<void> {
    this.avatar.leave();
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  async #get(path: string): Promise<unknown> {
    const headers = { connection: 'close' };
    return (await fetch(`http://127.0.0.1:${this.port}${path}`, { headers })).json();
  }
}

/** From SIGKILL in the middle of a speech to the first frame of the next one, in ms. */
async function crash(served: Served, phaseMs: number): Promise<number> {
  await served.ready();
  await served.speak(speechLikeNoise(4), 'accepted');
  await sleep(400 + phaseMs);
  const pid = await served.worker();
  const killedMs = now();
  process.kill(pid, 'SIGKILL');
  // Waits at the keeper's port until there is a worker again; what reached the killed one is asked for again.
  while (!(await served.speak(NEXT, 'finished').then(Boolean, () => false))) await sleep(1);
  return served.nextMs - killedMs;
}

async function crashes(quick: boolean, standby: boolean): Promise<Row[]> {
  const frameMs: number[] = [];
  const args = ['--lead-ms', String(LEAD_MS), ...(standby ? [] : ['--no-standby'])];
  let served = await Served.start(args);
  try {
    for (let i = 0; i < (quick ? 1 : 6); i += 1) {
      if (standby) {
        // The one in reserve starts 2 s after the one before it has taken over, and takes its own time.
        while (served.workers().length < 2) await sleep(50);
        await sleep(2500);
      } else if (i > 0) {
        // Else the wait before the next start, which grows, would be measured too.
        await served.close();
        served = await Served.start(args);
      }
      frameMs.push(await crash(served, (i * 17) % 80));
    }
    const what = standby ? 'with one in reserve' : 'without';
    const frame = spread(frameMs);
    const rows: Row[] = [
      {
        what: `SIGKILL to the next speech’s frame, ${what}, p50`,
        figure: frame.p50,
        unit: 'ms',
        baseline: { what: 'the lead, which it plays meanwhile', figure: LEAD_MS },
        ...(standby && { aim: '<= 1x' }),
      },
      { what: `SIGKILL to the next speech’s frame, ${what}, max`, figure: frame.max, unit: 'ms' },
    ];
    if (!standby) return rows;
    const { alive, attempts } = served.avatar.report();
    while (served.workers().length < 2) await sleep(50);
    await sleep(2500);
    const [active, reserve] = served.workers();
    return [
      ...rows,
      { what: 'the avatar’s connections', figure: alive ? attempts : NaN, unit: 'of 1' },
      { what: 'memory of the keeper', figure: residentMb(served.pid), unit: 'MB' },
      { what: 'memory of the worker', figure: residentMb(active), unit: 'MB' },
      { what: 'memory of the one in reserve', figure: residentMb(reserve), unit: 'MB' },
    ];
  } finally {
    await served.close();
  }
}

async function restarts(): Promise<Row[]> {
  const served = await Served.start(['--no-standby']);
  try {
    const restarted: number[] = [];
    const straight: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      for (const [gaps, between] of [
        [straight, async () => Promise.resolve()],
        [restarted, () => served.restart()],
      ] as const) {
        await served.ready();
        const before = served.avatar.report().segments.length;
        await served.speak(speechLikeNoise(6), 'accepted');
        await sleep(200);
        await between();
        const inTime = served.avatar.report().segments.at(-1)?.closed === false;
        await served.speak(speechLikeNoise(0.5), 'finished');
        const [first, second] = served.avatar.report().segments.slice(before);
        // A machine on which a process starts for longer than the speech lasts tells nothing of the gap.
        if (inTime) gaps.push(second!.heardFromMs! - first!.heardUntilMs!);
      }
    }
    const [gap, baseline] = [spread(restarted), spread(straight)];
    const report = served.avatar.report();
    return [
      ...(['p50', 'p99'] as const).map((key) => ({
        what: `planned restart: from one speech to the next, ${key}`,
        figure: gap[key],
        unit: 'ms',
        baseline: { what: 'without', figure: baseline[key] },
      })),
      {
        what: `gaps within speeches, ${restarted.length} restarts, at the default lead`,
        figure: report.gapCount,
        unit: '',
        aim: 'none',
      },
    ];
  } finally {
    await served.close();
  }
}

/** The record that each frame leaves; the keeper itself is not in the way of any. */
function costs(quick: boolean): Row[] {
  const sharedState = SharedState.create();
  try {
    const line = sharedState.writer(0);
    const count = quick ? 1000 : 100_000;
    const startMs = now();
    for (let i = 0; i < count; i += 1) {
      line.frame(640);
      line.left();
    }
    const eachUs = ((now() - startMs) * 1000) / count;
    return [
      { what: 'the record of a frame before and after its write, in the worker', figure: eachUs, unit: 'µs' },
    ];
  } finally {
    sharedState.close();
  }
}

/** Many planned restarts, by the smallest worker there is, with connections held all the while. */
async function endurance(quick: boolean): Promise<Row[]> {
  const subject = new Keeper({
    program: {
      module: fileURLToPath(new URL('../keeper/support/trivial.js', import.meta.url)),
      args: [],
      execArgv: [],
    },
    log: () => undefined,
  });
  while (subject.port === undefined) await sleep(5);
  const clients: Socket[] = [];
  try {
    for (let i = 0; i < 5; i += 1) {
      const client = connect(subject.port, '127.0.0.1');
      clients.push(client);
      client.write('keep');
      await once(client, 'data');
    }
    const restart = async (): Promise<void> => {
      const before = subject.workers[0]?.pid;
      subject.restart();
      while (subject.workers.length !== 1 || subject.workers[0]!.pid === before) await sleep(2);
    };
    const count = quick ? 5 : 500;
    const warm = Math.ceil(count / 10);
    for (let i = 0; i < warm; i += 1) await restart();
    const [files, heap] = [openFiles(), heapKb()];
    for (let i = warm; i < count; i += 1) await restart();
    return [
      {
        what: `open files after ${count} restarts`,
        figure: openFiles(),
        unit: '',
        baseline: { what: `after ${warm}`, figure: files },
      },
      {
        what: `heap after ${count} restarts`,
        figure: heapKb(),
        unit: 'KB',
        baseline: { what: `after ${warm}`, figure: heap },
      },
      {
        what: 'connections held through all of them',
        figure: clients.filter(({ destroyed }) => !destroyed).length,
        unit: 'of 5',
      },
    ];
  } finally {
    for (const client of clients) client.destroy();
    subject.stop();
    subject.stop();
    await subject.ended;
  }
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

function heapKb(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed / 1024;
}

function residentMb(pid: number | undefined): number {
  if (pid === undefined) return NaN;
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return (pages * 4096) / 1e6;
}

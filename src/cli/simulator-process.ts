import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { BridgeError } from '../base/errors.js';
import { readContent, SimulatedAvatar, type SimulatorReport } from '../simulator/index.js';
import { deadline, type CliContext } from './command.js';
import { EXIT } from './exit-codes.js';
import { printable, seconds } from './terminal.js';

/** Settings of the simulated avatars. */
export interface SimulatorPlan {
  readonly url: string;
  /** Makes them TCP servers, on this port and the following ones. */
  readonly tcpServer?: number | undefined;
  readonly model: string;
  readonly count: number;
  readonly retry: number;
  readonly audioOpenMs: number;
  readonly allLog?: boolean | undefined;
  readonly timeoutMs: number;
  readonly record?: string;
  readonly report?: string;
  readonly content?: string;
  readonly synthVoices?: string;
  readonly json?: boolean;
}

/** Runs simulated avatars until Ctrl-C, or until all have ended. @returns the exit status */
export async function simulate({ terminal, onInterrupt }: CliContext, plan: SimulatorPlan): Promise<number> {
  const {
    count,
    url,
    tcpServer,
    model,
    retry,
    json,
    record,
    report,
    timeoutMs,
    audioOpenMs,
    allLog = false,
  } = plan;
  const content = plan.content === undefined ? undefined : await readContent(plan.content);
  const voices = (plan.synthVoices ?? '').split(',').filter((name) => name !== '');
  const options = {
    modelAlias: model,
    retryCount: retry,
    audioOpenMs,
    allLog,
    record: record !== undefined,
    content,
    synth: { voices },
  };
  const avatars = Array.from({ length: count }, (_, index) => {
    if (tcpServer === undefined) return new SimulatedAvatar({ ...options, url });
    const port = tcpServer === 0 ? 0 : tcpServer + index;
    return new SimulatedAvatar({ ...options, url: `tcp://127.0.0.1:${port}`, tcpServer: true });
  });
  const end = new AbortController();
  const { signal: timeout, clear } = deadline(timeoutMs, 'simulator');
  const ending = AbortSignal.any([end.signal, timeout]);
  const off = onInterrupt(() => end.abort());
  const name = (index: number): string => (count === 1 ? 'simulator' : `simulator ${index + 1}`);
  const tellOf =
    (index: number): Tell =>
    (type, fields, line) => {
      if (json) terminal.json({ type, simulator: index + 1, ...fields });
      else terminal.say(`${name(index)}: ${line}`);
    };
  avatars.forEach((avatar, index) => follow(avatar, tellOf(index)));
  const connect = async (avatar: SimulatedAvatar, index: number): Promise<void> => {
    if (tcpServer === undefined) return avatar.connect();
    const port = await avatar.listen();
    tellOf(index)('listening', { port }, `listening on 127.0.0.1:${port}`);
  };
  try {
    const dead = Promise.all(avatars.map((avatar) => new Promise((resolve) => avatar.once('died', resolve))));
    const connecting = Promise.all(avatars.map(connect));
    const ended = new Promise((resolve) => ending.addEventListener('abort', resolve, { once: true }));
    let refused: unknown;
    connecting.catch((error: unknown) => {
      refused = error;
      if (error instanceof BridgeError && error.code === 'OPTION_INVALID') end.abort();
    });
    await Promise.race([dead, ended]);
    const reports = avatars.map((avatar) => avatar.report());
    for (const avatar of avatars) avatar.leave();
    await save(avatars, reports, record, report);
    if (!end.signal.aborted && refused instanceof BridgeError && reports.every(({ upgraded }) => !upgraded))
      throw refused;
    if (refused instanceof BridgeError && refused.code === 'OPTION_INVALID') throw refused;
    // Until connected, `--timeout-ms` limits the wait for the connection; after that, the lifetime.
    if (timeout.aborted && reports.some(({ upgraded }) => !upgraded)) throw timeout.reason;
    if (!json) reports.forEach((one, index) => terminal.say(`${name(index)}: ${summary(one)}`));
    return reports.some(({ died }) => died !== undefined) ? EXIT.failed : EXIT.ok;
  } finally {
    off();
    clear();
    for (const avatar of avatars) avatar.leave();
  }
}

type Tell = (type: string, fields: object, line: string) => void;

function follow(avatar: SimulatedAvatar, tell: Tell): void {
  let heard = false;
  avatar.on('state', (state) => {
    if (state === 'starting') tell('connected', {}, 'connected, its model is being loaded');
    if (state === 'ready') tell('ready', {}, 'ready');
  });
  avatar.on('command', ({ line, atMs }) => {
    tell('command', { line, atMs }, printable(line));
    if (line === 'SNDBRKS') heard = false;
  });
  avatar.on('audio', ({ samples, atMs, dropped }) => {
    if (heard && dropped === undefined) return;
    heard = dropped === undefined;
    const lost = dropped === undefined ? '' : `, not heard: ${dropped}`;
    tell('audio', { samples: samples.length, atMs, dropped: dropped ?? null }, `sound comes${lost}`);
  });
  avatar.on('synth', ({ alias, voice, text }) =>
    tell('synth', { alias, voice, text }, `spoke by itself: ${printable(text)}`),
  );
  avatar.on('fault', (fault) => {
    if (fault.severity === 'fault') tell('fault', { ...fault }, `broken rule ${fault.rule}: ${fault.detail}`);
  });
  avatar.on('died', (death) => tell('died', { ...death }, death.detail));
}

async function save(
  avatars: readonly SimulatedAvatar[],
  reports: readonly SimulatorReport[],
  record: string | undefined,
  report: string | undefined,
): Promise<void> {
  if (record !== undefined) {
    await Promise.all(avatars.map((avatar, index) => avatar.saveHeard(numbered(record, index))));
  }
  if (report === undefined) return;
  const json = JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2);
  await writeFile(report, `${json}\n`).catch((error: unknown) => {
    throw new BridgeError(
      'FILE_UNWRITABLE',
      `'${report}' could not be written: ${(error as Error).message}.`,
      {
        cause: error,
      },
    );
  });
}

/** `heard.wav`, `heard-2.wav`, `heard-3.wav`. */
function numbered(path: string, index: number): string {
  if (index === 0) return path;
  const extension = extname(path);
  return `${path.slice(0, path.length - extension.length)}-${index + 1}${extension}`;
}

function summary(report: SimulatorReport): string {
  const { samplesHeard, gapCount, gapMs, commandCount, faults, firstSoundAfterMs } = report;
  return [
    `heard ${samplesHeard} samples (${seconds(samplesHeard / 16)})`,
    gapCount === 0 ? 'no gaps' : `${gapCount} gaps of ${Math.round(gapMs)} ms in all`,
    ...(firstSoundAfterMs === undefined
      ? []
      : [`first sound ${Math.round(firstSoundAfterMs)} ms after its first frame`]),
    `${commandCount} commands`,
    faults.length === 0 ? 'no rule broken' : `${faults.length} rules broken`,
  ].join(', ');
}

import { createRequire } from 'node:module';
import { findProgram } from '../base/programs.js';
import { VERSION } from '../base/version.js';
import { listRecorders } from '../source/devices.js';
import type { AgentJson } from '../service/schemas.js';
import { ServiceClient, type ClientSettings } from './client.js';
import { deadline, readService, SERVICE_ADDRESS, type AddCommand } from './command.js';
import { EXIT } from './exit-codes.js';
import { addOptions, readOptions } from './flags.js';
import { printable, table } from './terminal.js';

const ASK_MS = 5000;

/** Result of one check. */
interface Finding {
  readonly what: string;
  /** `ok`; `-` for a missing optional part; `!` for a problem that keeps the avatar silent. */
  readonly state: 'ok' | '-' | '!';
  readonly found: string;
  /** One line of advice. */
  readonly help?: string;
}

const FFMPEG_INSTALL: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'apt install ffmpeg (Debian, Ubuntu), dnf install ffmpeg-free (Fedora), pacman -S ffmpeg (Arch)',
  darwin: 'brew install ffmpeg',
  win32: 'winget install Gyan.FFmpeg',
};
const ESPEAK_INSTALL: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'apt install espeak-ng (Debian, Ubuntu), dnf install espeak-ng (Fedora), pacman -S espeak-ng (Arch)',
  darwin: 'brew install espeak-ng',
  win32: 'winget install eSpeak-NG.eSpeak-NG',
};

/** `doctor`: checks this machine for missing parts. */
export const addDoctor: AddCommand = (program, run) => {
  const command = program
    .command('doctor')
    .summary('tell what is there and what is missing on this machine')
    .description(
      'Looks at Node, the programs that record and decode, the service and its avatars, and names the one line that helps. ' +
        'Fails only when something keeps avatars from speaking.',
    )
    .option('--json', 'as one JSON array');
  addOptions(command, [...SERVICE_ADDRESS, 'timeoutMs']);
  command.action((flags: { json?: boolean }) =>
    run(
      command,
      async ({ terminal, env }) => {
        const settings = readService(command, env);
        const { timeoutMs } = readOptions(command, ['timeoutMs'], env);
        const { signal, clear } = deadline(timeoutMs, 'doctor');
        const findings = await examine(settings, signal).finally(clear);
        if (flags.json) terminal.json(findings);
        else {
          const rows = findings.map(({ what, state, found }) => [state, what, found]);
          const lines = table(rows);
          findings.forEach(({ help }, index) => {
            terminal.say(lines[index]!);
            if (help !== undefined) terminal.say(`      ${help}`);
          });
        }
        return findings.some(({ state }) => state === '!') ? EXIT.failed : EXIT.ok;
      },
      flags,
    ),
  );
};

/** @throws the signal's reason, since partial results would look complete */
async function examine(settings: Omit<ClientSettings, 'signal'>, signal: AbortSignal): Promise<Finding[]> {
  const findings = [
    node(),
    ...(await recorders(signal)),
    await tool('ffmpeg', 'AAC/M4A, Vorbis and rarer formats', FFMPEG_INSTALL),
    opus(),
    await tool('espeak-ng', 'an offline voice for languages other than English', ESPEAK_INSTALL),
    ...(await service(settings, signal)),
  ];
  signal.throwIfAborted();
  return findings;
}

function node(): Finding {
  const major = Number(process.versions.node.split('.')[0]);
  const found = `${process.version}, mmdagent-bridge ${VERSION}, ${process.platform} ${process.arch}`;
  return major >= 20
    ? { what: 'Node', state: 'ok', found }
    : { what: 'Node', state: '!', found, help: 'Node 20 or later is needed: https://nodejs.org' };
}

async function recorders(signal: AbortSignal): Promise<Finding[]> {
  const reports = await listRecorders(AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]));
  signal.throwIfAborted();
  const findings = reports.map(({ recorder, path, install, devices, error }): Finding => {
    const what = `recorder ${recorder}`;
    if (path === undefined) {
      return { what, state: '-', found: 'not installed', ...(install !== undefined && { help: install }) };
    }
    const inputs = devices.length === 1 ? '1 input' : `${devices.length} inputs`;
    return {
      what,
      state: error ? '-' : 'ok',
      found: error ? `${path}; ${printable(error.message)}` : `${path}, ${inputs}`,
    };
  });
  // One is enough; advice about the others would only distract.
  const any = reports.some(({ path }) => path !== undefined);
  return any ? findings.map(({ what, state, found }) => ({ what, state, found })) : findings;
}

async function tool(
  name: string,
  use: string,
  install: Partial<Record<NodeJS.Platform, string>>,
): Promise<Finding> {
  const path = await findProgram(name);
  if (path !== undefined) return { what: name, state: 'ok', found: path };
  const help = install[process.platform];
  return {
    what: name,
    state: '-',
    found: `not installed; it is for ${use}`,
    ...(help !== undefined && { help }),
  };
}

function opus(): Finding {
  const { resolve } = createRequire(import.meta.url);
  try {
    resolve('@discordjs/opus');
    return { what: 'Opus', state: 'ok', found: 'native (@discordjs/opus)' };
  } catch {
    return {
      what: 'Opus',
      state: 'ok',
      found: 'WebAssembly (opusscript)',
      help: 'npm install @discordjs/opus makes it somewhat faster; it needs a compiler or a prebuilt download',
    };
  }
}

async function service(settings: Omit<ClientSettings, 'signal'>, given: AbortSignal): Promise<Finding[]> {
  const signal = AbortSignal.any([given, AbortSignal.timeout(ASK_MS)]);
  const client = new ServiceClient({ ...settings, signal });
  try {
    const { version } = await client.check();
    const { agents } = await client.get<{ agents: AgentJson[] }>('/api/agents');
    const found: Finding = { what: 'service', state: 'ok', found: `${client.at}, version ${version}` };
    const connected = agents.filter(({ state }) => state !== 'absent');
    if (connected.length === 0) {
      const help =
        'Start MMDAgent-EX with the .mdf lines that serve prints, or try: mmdagent-bridge simulator';
      return [found, { what: 'avatar', state: '-', found: 'none is connected', help }];
    }
    return [found, ...connected.map(avatar)];
  } catch (error) {
    const help = 'Start it in another terminal: mmdagent-bridge serve';
    return [{ what: 'service', state: '-', found: printable((error as Error).message), help }];
  }
}

function avatar({ name, state, model, remote }: AgentJson): Finding {
  const found = `${state}, model ${printable(model)}, from ${remote ?? 'nowhere'}`;
  if (state === 'ready') return { what: `avatar ${name}`, state: 'ok', found };
  return {
    what: `avatar ${name}`,
    state: '!',
    found,
    help: `Its content has not loaded a model with the alias ${printable(model)}; name another with serve --model`,
  };
}

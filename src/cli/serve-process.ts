import { hostname } from 'node:os';
import { readToken } from '../base/token.js';
import { createBridge, type Bridge, type BridgeOptions } from '../bridge.js';
import { attachService } from '../service/service.js';
import type { Surroundings } from './command.js';
import { contentHelp, contentLines } from './content-lines.js';
import { EXIT } from './exit-codes.js';
import { logHappenings } from './happenings.js';
import { processLog, type ProcessLog } from './log.js';
import type { Terminal } from './terminal.js';

/** How the service is to run. */
export interface ServePlan {
  readonly options: BridgeOptions;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Runs the service until Ctrl-C. @returns the exit status */
export async function serveUntilInterrupted(surroundings: Surroundings, plan: ServePlan): Promise<number> {
  const { terminal, env } = surroundings;
  const json = plan.json || !terminal.interactive;
  const colors = terminal.interactive && env['NO_COLOR'] === undefined;
  const { options } = plan;
  const level = plan.verbose ? 'debug' : (options.logLevel ?? 'info');
  const secrets = [readToken(options), options.agentToken].filter((secret) => secret !== undefined);
  const log = processLog({ json, level, colors, secrets });
  try {
    return await serve(surroundings, options, log, json);
  } finally {
    log.flush();
  }
}

async function serve(
  { terminal, onInterrupt }: Surroundings,
  options: BridgeOptions,
  log: ProcessLog,
  json: boolean,
): Promise<number> {
  const { logger } = log;
  const bridge = await createBridge({ ...options, logger });
  logHappenings(bridge, logger);
  const service = await attachService(bridge);
  announce(bridge, service.url, json ? undefined : terminal, logger);

  // A fault in one corner must not end the process: every connected avatar would die with it.
  const onFault = (error: unknown): void =>
    logger.error(
      { err: error },
      `a fault of the bridge: ${error instanceof Error ? error.message : String(error)}`,
    );
  process.on('uncaughtException', onFault);
  process.on('unhandledRejection', onFault);
  try {
    const ended = new Promise<number>((resolve, reject) => {
      let asked = false;
      onInterrupt(() => {
        if (asked) return resolve(EXIT.interrupted);
        asked = true;
        logger.info({}, farewell(bridge));
        bridge.close().then(() => resolve(EXIT.ok), reject);
      });
    });
    return await ended;
  } finally {
    process.off('uncaughtException', onFault);
    process.off('unhandledRejection', onFault);
  }
}

function announce(
  { address, options }: Bridge,
  url: string,
  terminal: Terminal | undefined,
  logger: ProcessLog['logger'],
): void {
  // Where every address is listened at, the machine's own name is one that others know.
  const host = /^(0\.0\.0\.0|::)$/.test(address.host) ? hostname() : address.host;
  // A person can paste the lines as they stand; a log is kept, and holds no secret.
  const { agentToken } = options;
  const query = agentToken === undefined ? '' : `?token=${terminal ? agentToken : '(your --agent-token)'}`;
  const lines = contentLines({ ...address, host }, options.path + query);
  if (!terminal) {
    logger.info(
      { ...address, path: options.path, url, mdf: lines },
      `listening on ${url}; avatars connect at ${options.path}`,
    );
    return;
  }
  const page = new URL(url);
  page.hostname = host;
  terminal.say(`Listening on ${url}; avatars connect at ${options.path}.`);
  terminal.say(`The console, for a browser: ${page.href}`);
  terminal.say('');
  terminal.say('Lines for the avatar’s content file (.mdf):');
  for (const line of lines) terminal.say(`  ${line}`);
  for (const line of contentHelp(options.path, query !== '')) terminal.say(line);
  terminal.say('');
  terminal.say('Ctrl-C ends the service, and with it the avatars that are connected.');
  terminal.say('');
}

function farewell(bridge: Bridge): string {
  const names = bridge.agents().flatMap(({ name, state }) => (state === 'absent' ? [] : [name]));
  if (names.length === 0) return 'ending; no avatar is connected. Ctrl-C again ends at once';
  return `ending; these avatars end with their connection: ${names.join(', ')}. Ctrl-C again ends at once`;
}

import { hostname } from 'node:os';
import { readToken } from '../base/token.js';
import { openBridge, type BridgeHandle, type BridgeOptions } from '../bridge.js';
import { KeeperClient } from '../keeper/keeper-client.js';
import { attachService } from '../service/service.js';
import type { CliContext } from './command.js';
import { contentHelp, contentLines, tcpContentLines } from './content-lines.js';
import { EXIT } from './exit-codes.js';
import { logEvents } from './event-log.js';
import { processLog, type ProcessLog } from './log.js';
import type { Terminal } from './terminal.js';

const TLS_ALONE =
  'it runs without a keeper: a TLS session lives in one process, so that avatars end with it when it crashes or is restarted';

/** Settings of the service process. */
export interface ServePlan {
  /** Path of the configuration, if any. */
  readonly configPath?: string | undefined;
  readonly options: BridgeOptions;
  /** Maximum time for current speeches when the service ends, in ms. */
  readonly stopDeadlineMs: number;
  /** True to run in one process. */
  readonly noKeeper: boolean;
  /** True to run without a second worker in reserve. */
  readonly noStandby: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Runs the service until Ctrl-C. @returns the exit status */
export async function serveUntilInterrupted(context: CliContext, plan: ServePlan): Promise<number> {
  const { terminal, env } = context;
  const json = plan.json || !terminal.interactive;
  const colors = terminal.interactive && (env['NO_COLOR'] ?? '') === '';
  const { options } = plan;
  const level = plan.verbose ? 'debug' : (options.logLevel ?? 'info');
  const { agentToken, natsPassword, natsToken } = options;
  const secrets = [readToken(options), agentToken, natsPassword, natsToken].filter(
    (secret) => secret !== undefined,
  );
  const log = await processLog({ json, level, colors, secrets });
  const keeperClient = KeeperClient.ofProcess({ standby: !plan.noStandby, log: { json, level } });
  try {
    return await serve(context, plan, log, json ? undefined : terminal, keeperClient);
  } catch (error) {
    // A worker whose keeper was lost during its start has no work, and prints nothing.
    if (keeperClient && !keeperClient.open) return EXIT.ok;
    throw error;
  } finally {
    log.flush();
  }
}

async function serve(
  { onInterrupt }: CliContext,
  { options, configPath, stopDeadlineMs, noKeeper }: ServePlan,
  log: ProcessLog,
  terminal: Terminal | undefined,
  keeperClient: KeeperClient | undefined,
): Promise<number> {
  const { logger } = log;
  const kept = keeperClient !== undefined && !noKeeper && options.tlsCert === undefined;
  const bridge = await openBridge({ ...options, logger, ...(kept && { keeperClient }) });
  logEvents(bridge, logger);
  const service = await attachService(bridge);
  // A worker that takes over from another prints no start message.
  if (!kept || keeperClient.number === 1) announce(bridge, service.url, { configPath, terminal, logger });
  if (bridge.listener.secure) logger.info({}, TLS_ALONE);

  // One uncaught error must not end the process, which would end every speech.
  const onFault = (error: unknown): void =>
    logger.error(
      { err: error },
      `a fault of the bridge: ${error instanceof Error ? error.message : String(error)}`,
    );
  process.on('uncaughtException', onFault);
  process.on('unhandledRejection', onFault);
  try {
    return await new Promise<number>((resolve, reject) => {
      const over = (): void => void bridge.close().then(() => resolve(EXIT.ok), reject);
      let asked = false;
      const stop = (): void => {
        if (asked) return resolve(EXIT.interrupted);
        asked = true;
        logger.info({}, farewell(bridge, stopDeadlineMs));
        bridge.drain(stopDeadlineMs).then(over, reject);
      };
      onInterrupt(() => {
        // Ctrl-C at a terminal reaches all processes; the keeper tells its workers what to do.
        if (!keeperClient?.open) stop();
      });
      if (bridge.handover) bridge.handover.enter({ stop, over });
      else keeperClient?.leave(stop);
    });
  } finally {
    process.off('uncaughtException', onFault);
    process.off('unhandledRejection', onFault);
  }
}

function announce(
  { address, tcpAddresses, options, engines }: BridgeHandle,
  url: string,
  {
    configPath,
    terminal,
    logger,
  }: {
    configPath: string | undefined;
    terminal: Terminal | undefined;
    logger: ProcessLog['logger'];
  },
): void {
  // When listening on every address, the machine's own name works from elsewhere.
  const reachable = (host: string): string => (/^(0\.0\.0\.0|::)$/.test(host) ? hostname() : host);
  const host = reachable(address.host);
  // At a terminal the lines are complete for pasting; a log is kept, and must not contain a secret.
  const { agentToken } = options;
  const query = agentToken === undefined ? '' : `?token=${terminal ? agentToken : '(your --agent-token)'}`;
  const lines = contentLines({ ...address, host }, options.path + query);
  const tcp = tcpAddresses.map((entrance) => ({
    ...entrance,
    mdf: tcpContentLines(entrance, reachable(entrance.host)),
  }));
  const engine = engines.settle({}).engine as string;
  if (!terminal) {
    logger.info(
      {
        ...{ ...address, path: options.path, url, mdf: lines, tcp: tcp.length > 0 ? tcp : undefined },
        ...{ config: configPath, engine },
      },
      `listening on ${url}; avatars connect at ${options.path}`,
    );
    return;
  }
  const page = new URL(url);
  page.hostname = host;
  terminal.say(`Listening on ${url}; avatars connect at ${options.path}.`);
  terminal.say(`The console, for a browser: ${page.href}`);
  terminal.say(`Configuration: ${configPath ?? 'none (no bridge.yaml here)'}. Engine for text: ${engine}.`);
  terminal.say('');
  terminal.say('Lines for the avatar’s content file (.mdf):');
  for (const line of lines) terminal.say(`  ${line}`);
  for (const line of contentHelp(options.path, query !== '')) terminal.say(line);
  for (const { kind, host, port, name, mdf } of tcp) {
    const who = name === undefined ? 'an avatar' : `avatar ${name}`;
    const how =
      kind === 'connect' ? `is the TCP server at ${host}:${port}` : `connects over TCP to port ${port}`;
    terminal.say('');
    terminal.say(`Instead of those, for ${who} that ${how}:`);
    for (const line of mdf) terminal.say(`  ${line}`);
  }
  terminal.say('');
  terminal.say('Ctrl-C ends the service, and with it the avatars that are connected.');
  terminal.say('');
}

function farewell(bridge: BridgeHandle, deadlineMs: number): string {
  const here = bridge.agents().filter(({ state }) => state !== 'absent');
  const names = here.map(({ name }) => name);
  const speaking = here.filter(({ speeches }) => speeches.length > 0);
  const which =
    names.length === 0
      ? 'no avatar is connected'
      : `these avatars end with their connection: ${names.join(', ')}`;
  const wait =
    speaking.length === 0 || deadlineMs === 0
      ? ''
      : ` What is spoken may go on for up to ${deadlineMs / 1000} s.`;
  return `ending; ${which}.${wait} Ctrl-C again ends at once`;
}

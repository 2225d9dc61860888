import { openSync, closeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { Keeper } from '../keeper/keeper.js';
import { keeperLine, LineWriter } from '../keeper/lines.js';
import { KEEPER_ENV } from '../keeper/messages.js';
import type { Env } from './flags.js';

/** Options with which `serve` runs in one process: explicitly, or by TLS, whose sessions cannot change processes. */
const ALONE = /^--(no-keeper|tls-cert|tls-key)(=|$)/;

/**
 * Returns whether this process must become the keeper of a service, and start itself again as its worker. It does not
 * validate options; the worker does.
 */
export function wantsKeeper(args: readonly string[], env: Env): boolean {
  if (args[0] !== 'serve' || env[KEEPER_ENV] !== undefined) return false;
  if (args.some((arg) => ALONE.test(arg)) || args.includes('--help') || args.includes('-h')) return false;
  const alone = env['MMDAGENT_BRIDGE_NO_KEEPER'] ?? '';
  return (
    !/^(1|true|yes|on)$/i.test(alone) && !env['MMDAGENT_BRIDGE_TLS_CERT'] && !env['MMDAGENT_BRIDGE_TLS_KEY']
  );
}

/** Runs the keeper until the service has ended. @returns its exit status */
export function keep(module: string, args: readonly string[]): Promise<number> {
  const lines = new LineWriter(1);
  const atTerminal = isatty(1);
  const keeper = new Keeper({
    program: { module, args },
    log: (level, message, log = { json: !atTerminal, level: 'info' }) => {
      const line = keeperLine(level, message, log, new Date());
      if (line !== undefined) lines.push(line);
    },
  });
  process.on('SIGINT', () => keeper.stop());
  process.on('SIGTERM', () => keeper.stop());
  process.on('SIGBREAK', () => keeper.stop());
  // `serve | tee log` belongs to a terminal too, although its output is a pipe.
  const ofTerminal = [0, 1, 2].some((fd) => isatty(fd));
  process.on('SIGHUP', () => {
    if (process.platform === 'win32' || (ofTerminal && !terminalIsThere())) keeper.stop();
    else keeper.restart();
  });
  // The keeper must survive any error, since it holds the avatars.
  process.on('uncaughtException', (error) =>
    lines.push(`the keeper goes on after a fault: ${error.message}\n`),
  );
  return keeper.ended;
}

/** False once the service's terminal window is closed, which sends the same signal as a restart request. */
function terminalIsThere(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

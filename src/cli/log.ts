import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

/** What may wait for a log reader that does not read, in bytes; past it lines are left out rather than avatars held up. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** A log of the service's process, and a way to get its last lines out. */
export interface ProcessLog {
  readonly logger: Logger;
  flush(): void;
}

/**
 * The log on standard output: lines for people at a terminal, JSON otherwise. Writing never waits: a reader that has
 * stopped must not stop the avatars' sound.
 */
export function processLog(options: { json: boolean; verbose: boolean; colors: boolean }): ProcessLog {
  const destination = pino.destination({ dest: 1, sync: false, maxLength: MAX_WAITING_BYTES });
  // A reader that has gone is no reason to end: avatars live by this process.
  destination.on('error', () => undefined);
  const level = options.verbose ? 'debug' : 'info';
  const flush = (): void => {
    try {
      destination.flushSync();
    } catch {
      // Nobody reads.
    }
  };
  if (options.json) return { logger: pino({ level, base: null }, destination), flush };
  const lines = pretty({
    destination,
    colorize: options.colors,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname,level',
    hideObject: !options.verbose,
    singleLine: true,
    messageFormat: (log, key) => {
      const grave = Number(log['level']) >= 40;
      return `${grave ? 'warning: ' : ''}${String(log[key])}`;
    },
  });
  return { logger: pino({ level, base: null }, lines), flush };
}

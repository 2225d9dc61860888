import pino, { type DestinationStream, type Logger } from 'pino';

/** Maximum bytes waiting for a log reader; then lines are dropped, so that avatars are never delayed. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** Replacement of a secret. */
const CENSOR = '[secret]';
/** Fields that always hold secrets. */
const SECRET_FIELDS = ['token', 'tokenFile', 'agentToken', 'authorization', 'cookie'].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
]);

/** Lowest logged level. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Log of the service's process, with a way to flush its last lines. */
export interface ProcessLog {
  readonly logger: Logger;
  flush(): void;
}

/**
 * Returns the log on standard output: text at a terminal, JSON otherwise. Writing never waits: a blocked reader must not
 * stop the avatars' sound.
 */
export async function processLog(options: {
  json: boolean;
  level: LogLevel;
  colors: boolean;
  /** Secrets that are removed from every line. */
  secrets?: readonly string[];
}): Promise<ProcessLog> {
  const destination = pino.destination({ dest: 1, sync: false, maxLength: MAX_WAITING_BYTES });
  // Losing the log's reader must not end the process, on which avatars depend.
  destination.on('error', () => undefined);
  const { level } = options;
  const settings = { level, base: null, redact: { paths: SECRET_FIELDS, censor: CENSOR } };
  const clean = scrubber(options.secrets ?? []);
  const flush = (): void => {
    try {
      destination.flushSync();
    } catch {
      // Without a reader there is nothing to flush.
    }
  };
  if (options.json) return { logger: pino(settings, cleaned(destination, clean)), flush };
  // Loaded only when needed: a worker that takes over must start fast, and mostly writes JSON.
  const { default: pretty } = await import('pino-pretty');
  const lines = pretty({
    destination,
    colorize: options.colors,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname,level',
    hideObject: level !== 'debug',
    // With a hidden object, pino-pretty would treat a single line as a continued one.
    singleLine: level === 'debug',
    messageFormat: (log, key, _label, { colors }) => {
      const grade = Number(log['level']);
      const message = String(log[key]);
      if (grade >= 50) return colors.red(`error: ${message}`);
      return grade >= 40 ? colors.yellow(`warning: ${message}`) : message;
    },
  });
  return { logger: pino(settings, cleaned(lines, clean)), flush };
}

/** Returns a function that removes secrets from a line, whatever their origin. */
function scrubber(secrets: readonly string[]): (line: string) => string {
  return (line) => secrets.reduce((text, secret) => text.replaceAll(secret, CENSOR), line);
}

function cleaned(destination: DestinationStream, clean: (line: string) => string): DestinationStream {
  return { write: (line) => destination.write(clean(line)) };
}

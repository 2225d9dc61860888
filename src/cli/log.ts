import pino, { type DestinationStream, type Logger } from 'pino';

/** What may wait for a log reader that does not read, in bytes; past it lines are left out rather than avatars held up. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** What a secret is shown as. */
const CENSOR = '[secret]';
/** Fields that hold secrets wherever they come from. */
const SECRET_FIELDS = ['token', 'tokenFile', 'agentToken', 'authorization', 'cookie'].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
]);

/** What is worth a line. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** A log of the service's process, and a way to get its last lines out. */
export interface ProcessLog {
  readonly logger: Logger;
  flush(): void;
}

/**
 * The log on standard output: lines for people at a terminal, JSON otherwise. Writing never waits: a reader that has
 * stopped must not stop the avatars' sound.
 */
export async function processLog(options: {
  json: boolean;
  level: LogLevel;
  colors: boolean;
  /** Texts that no line may hold. */
  secrets?: readonly string[];
}): Promise<ProcessLog> {
  const destination = pino.destination({ dest: 1, sync: false, maxLength: MAX_WAITING_BYTES });
  // A reader that has gone is no reason to end: avatars live by this process.
  destination.on('error', () => undefined);
  const { level } = options;
  const settings = { level, base: null, redact: { paths: SECRET_FIELDS, censor: CENSOR } };
  const clean = scrubber(options.secrets ?? []);
  const flush = (): void => {
    try {
      destination.flushSync();
    } catch {
      // Nobody reads.
    }
  };
  if (options.json) return { logger: pino(settings, cleaned(destination, clean)), flush };
  // A worker that takes over must be quick, and writes JSON nearly everywhere.
  const { default: pretty } = await import('pino-pretty');
  const lines = pretty({
    destination,
    colorize: options.colors,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname,level',
    hideObject: level !== 'debug',
    // With a hidden object, pino-pretty takes a single line for one that goes on.
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

/** Whatever a message was made of, a secret of this process does not leave it. */
function scrubber(secrets: readonly string[]): (line: string) => string {
  return (line) => secrets.reduce((text, secret) => text.replaceAll(secret, CENSOR), line);
}

function cleaned(destination: DestinationStream, clean: (line: string) => string): DestinationStream {
  return { write: (line) => destination.write(clean(line)) };
}

import { write } from 'node:fs';
import type { KeeperLevel } from './keeper.js';
import type { KeeperLog } from './messages.js';

/** Level numbers of pino, which the service logs with. */
const NUMBERS: Record<KeeperLevel, number> = { info: 30, warn: 40, error: 50 };
const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

/** Maximum number of lines waiting for a reader; further ones are left out. */
const MAX_WAITING = 200;
/** Delay before a line that a full pipe did not take is tried again, in ms. */
const AGAIN_MS = 100;

/**
 * Formats one log line of the keeper like those of the service.
 * @param now wall-clock time
 * @returns undefined below the log level
 */
export function keeperLine(
  level: KeeperLevel,
  message: string,
  log: KeeperLog,
  now: Date,
): string | undefined {
  if (LEVELS.indexOf(level) < LEVELS.indexOf(log.level)) return undefined;
  if (log.json) return `${JSON.stringify({ level: NUMBERS[level], time: now.getTime(), msg: message })}\n`;
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
  const grave = level === 'info' ? '' : 'warning: ';
  return `[${time}.${String(now.getMilliseconds()).padStart(3, '0')}] ${grave}${message}\n`;
}

/**
 * Writes lines to a file descriptor shared with the workers, without ever waiting for its reader: a keeper that hangs in
 * a write could not hold avatars.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #waiting: string[] = [];
  #writing = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  push(line: string): void {
    if (this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push(line);
    this.#next();
  }

  #next(): void {
    const line = this.#waiting[0];
    if (line === undefined || this.#writing) return;
    this.#writing = true;
    write(this.#fd, line, (error) => {
      this.#writing = false;
      if (error?.code === 'EAGAIN') return void setTimeout(() => this.#next(), AGAIN_MS).unref();
      this.#waiting.shift();
      this.#next();
    });
  }
}

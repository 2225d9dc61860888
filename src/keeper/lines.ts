import { write } from 'node:fs';
import type { KeeperLevel } from './keeper.js';
import type { KeeperLog } from './messages.js';

/** Levels as pino numbers them, in which the service logs. */
const NUMBERS: Record<KeeperLevel, number> = { info: 30, warn: 40, error: 50 };
const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

/** Lines that may wait for a reader that does not read; past it they are left out. */
const MAX_WAITING = 200;
/** How long to wait before a line is tried again that a full pipe did not take, in ms. */
const AGAIN_MS = 100;

/**
 * One line of the keeper's, in the manner of the service's own.
 * @param now by the clock on the wall
 * @returns nothing when the level is not worth a line
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
 * Writes lines to a file descriptor that it shares with the workers, and never waits for its reader: a process that
 * hangs in a write holds no avatar.
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

import type { Clock } from '../../src/base/clock.js';
import { systemClock } from '../../src/base/clock.js';

const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/**
 * The machine's monotonic clock as every process on it sees it: each process's own `performance.now()` begins at 0 with
 * the process, so that times of two of them could not be compared.
 */
export const sharedClock: Clock = {
  nowMs: () => performance.now() + offsetMs,
  after: (delayMs, callback) => systemClock.after(delayMs, callback),
};

/** Milliseconds on that clock. */
export function now(): number {
  return sharedClock.nowMs();
}

/** Waits. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

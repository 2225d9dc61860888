import { setMaxListeners } from 'node:events';

/** A pending timer that can be cancelled. */
export interface Timer {
  cancel(): void;
}

/**
 * Source of time for everything that waits or measures, so that tests can control time. It is monotonic:
 * setting the machine's date must not disturb an avatar that speaks.
 */
export interface Clock {
  /** Returns monotonic milliseconds with a fraction. Only differences are meaningful. */
  nowMs(): number;
  /** Calls `callback` once, at least `delayMs` from now. The timer keeps the process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

/** The machine's monotonic clock and timers. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    const dueMs = performance.now() + delayMs;
    let handle: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      // Node truncates delays to whole milliseconds, and counts them from the begin of the event loop's turn: a timer that
      // is set late in a turn fires early.
      handle = setTimeout(
        () => {
          const stillMs = dueMs - performance.now();
          if (stillMs > 0) wait(stillMs);
          else callback();
        },
        Math.max(0, Math.ceil(leftMs)),
      );
    };
    wait(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * Waits for a time.
 * @param clock clock that measures it
 * @param delayMs time to wait, in milliseconds
 * @param signal ends the wait early
 * @throws the signal's reason when it is aborted first
 */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Runs an operation with a deadline.
 * @param deadlineMs time until the signal passed to `run` is aborted, in ms
 * @returns the result of `run`, however long it takes
 */
export async function within<T>(
  clock: Clock,
  deadlineMs: number,
  run: (late: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  // Any number of listeners is legitimate here, so Node must not warn of a leak.
  setMaxListeners(0, controller.signal);
  const timer = clock.after(deadlineMs, () => controller.abort());
  try {
    return await run(controller.signal);
  } finally {
    timer.cancel();
  }
}

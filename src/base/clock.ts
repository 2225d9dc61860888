import { setMaxListeners } from 'node:events';

/** A timer that was asked for and can be called off. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as the bridge sees it. Everything that waits or measures takes one of these, so that tests can hold the time.
 * It never follows the wall clock: a machine whose date is set while an avatar speaks must not be heard.
 */
export interface Clock {
  /** Monotonic milliseconds with a fraction; only differences mean anything. */
  nowMs(): number;
  /** Calls `callback` once, no sooner than `delayMs` from now. The timer keeps the process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

/** The machine's own monotonic clock and timers. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    // Node cuts a delay to whole milliseconds: rounded up, a timer is never early.
    const handle = setTimeout(callback, Math.max(0, Math.ceil(delayMs)));
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * Waits.
 * @param clock whose time is waited for
 * @param delayMs how long, in milliseconds
 * @param signal ends the wait early
 * @throws the signal's reason when it is aborted before the time is up
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
 * Runs something with a deadline.
 * @param deadlineMs when the signal that `run` gets is aborted, in ms from now
 * @returns what `run` returns, however long it takes
 */
export async function within<T>(
  clock: Clock,
  deadlineMs: number,
  run: (late: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  // Any number may listen, and that is no leak.
  setMaxListeners(0, controller.signal);
  const timer = clock.after(deadlineMs, () => controller.abort());
  try {
    return await run(controller.signal);
  } finally {
    timer.cancel();
  }
}

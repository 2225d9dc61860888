import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until something is so; generous, because a test machine may be busy. @param what for the failure */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = condition.toString(),
  timeoutMs = 15_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`It did not come to pass: ${what}`);
    await sleep(5);
  }
}

/**
 * Waits for a promise, but no longer than until the signal. Its listener is gone afterwards, so it may be called once a
 * chunk with a signal that lives for hours.
 * @param promise what comes of it after the abort is ignored, an error too
 * @throws the signal's reason when it is aborted first
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

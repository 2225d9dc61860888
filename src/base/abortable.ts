/**
 * Waits for a promise until the signal is aborted. The listener is removed afterwards, so this may be called
 * for every chunk with a signal that lives for hours.
 * @param promise its result or error after the abort is ignored
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

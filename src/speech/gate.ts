import type { Clock, Timer } from '../base/clock.js';

/** Where the speeches of a group wait for one another, so that their first frames leave together. */
export interface StartGate {
  /**
   * Settles when the gate opens: when all have come, or when those that have come have waited long enough.
   * @throws the signal's reason when aborted; an error when it opened without this one
   */
  arrive(signal: AbortSignal): Promise<void>;
  /** One of them will not come. */
  leave(): void;
}

/**
 * A gate for `count` speeches.
 * @param patienceMs how long the first waits for the last, in ms
 * @param tooLate makes the error for one that comes after it has opened
 */
export function startGate(clock: Clock, count: number, patienceMs: number, tooLate: () => Error): StartGate {
  let expected = count;
  let arrived = 0;
  let opened = false;
  let open!: () => void;
  let timer: Timer | undefined;
  const opening = new Promise<void>((resolve) => {
    open = () => {
      opened = true;
      timer?.cancel();
      resolve();
    };
  });
  return {
    async arrive(signal) {
      signal.throwIfAborted();
      if (opened) throw tooLate();
      arrived += 1;
      if (arrived >= expected) open();
      else timer ??= clock.after(patienceMs, open);
      await opening;
      signal.throwIfAborted();
    },
    leave() {
      expected -= 1;
      if (!opened && arrived >= expected) open();
    },
  };
}

import type { Clock, Timer } from '../base/clock.js';

/** Work that was asked of the wheel. */
export interface WheelTask {
  /** Calls it off; once run or cancelled this does nothing. */
  cancel(): void;
}

/** One object a task, for it is made anew for every frame of every agent. */
class Entry implements WheelTask {
  run: ((nowMs: number) => void) | undefined;

  constructor(run: (nowMs: number) => void) {
    this.run = run;
  }

  cancel(): void {
    this.run = undefined;
  }
}

/**
 * One timer for all agents. Time is cut into slots of a few milliseconds and everything due in a slot runs in one
 * wake-up, so a thousand streams cost one timer, not a thousand. Slots stand at absolute multiples of the monotonic
 * clock: nothing drifts, and a late wake-up runs all that is overdue, each task once.
 */
export class Wheel {
  readonly slotMs: number;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #slots = new Map<number, Entry[]>();
  #timer: Timer | undefined;
  #armedSlot = Infinity;
  #latenessMs: ((latenessMs: number) => void) | undefined;

  /**
   * @param options.slotMs width of a slot, in ms
   * @param options.onError is told when a task throws; the other tasks still run
   */
  constructor(clock: Clock, options: { slotMs?: number; onError?: (error: unknown) => void } = {}) {
    this.#clock = clock;
    this.slotMs = options.slotMs ?? 5;
    this.#onError =
      options.onError ??
      ((error) => {
        queueMicrotask(() => {
          throw error;
        });
      });
  }

  /** Tells `observer` at every wake-up how late it was, in ms. */
  observeLateness(observer: ((latenessMs: number) => void) | undefined): void {
    this.#latenessMs = observer;
  }

  /** The first slot boundary at or after `timeMs`. */
  align(timeMs: number): number {
    return Math.ceil(timeMs / this.slotMs) * this.slotMs;
  }

  /** Runs `task` in the first slot at or after `dueMs` (monotonic); what is already due runs at the next wake-up. */
  at(dueMs: number, task: (nowMs: number) => void): WheelTask {
    // A hair of tolerance keeps a due time that is a slot boundary but for rounding in that slot.
    const slot = Math.ceil(dueMs / this.slotMs - 1e-6);
    const entry = new Entry(task);
    const entries = this.#slots.get(slot);
    if (entries) entries.push(entry);
    else this.#slots.set(slot, [entry]);
    if (slot < this.#armedSlot) this.#arm(slot);
    return entry;
  }

  #arm(slot: number): void {
    this.#timer?.cancel();
    this.#armedSlot = slot;
    this.#timer = this.#clock.after(slot * this.slotMs - this.#clock.nowMs(), () => this.#wake());
  }

  #wake(): void {
    const nowMs = this.#clock.nowMs();
    this.#latenessMs?.(Math.max(0, nowMs - this.#armedSlot * this.slotMs));
    // Whatever the tasks ask for meanwhile, one timer is set, when all have run.
    this.#armedSlot = -Infinity;
    try {
      this.#runDue(nowMs);
    } finally {
      this.#armedSlot = Infinity;
      const next = this.#nextSlot();
      if (next !== undefined) this.#arm(next);
    }
  }

  #runDue(nowMs: number): void {
    const current = Math.floor(nowMs / this.slotMs + 1e-6);
    const due = [...this.#slots.keys()].filter((slot) => slot <= current).sort((a, b) => a - b);
    for (const slot of due) {
      const entries = this.#slots.get(slot)!;
      this.#slots.delete(slot);
      for (const entry of entries) {
        try {
          entry.run?.(nowMs);
        } catch (error) {
          this.#onError(error);
        }
      }
    }
  }

  /** The first slot in which something is left to do; those in which all was called off are forgotten. */
  #nextSlot(): number | undefined {
    let next: number | undefined;
    for (const [slot, entries] of this.#slots) {
      if (entries.every((entry) => !entry.run)) this.#slots.delete(slot);
      else if (next === undefined || slot < next) next = slot;
    }
    return next;
  }
}

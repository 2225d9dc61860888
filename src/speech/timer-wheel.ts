import type { Clock, Timer } from '../base/clock.js';

/** A task of the wheel: it runs once for each time it is scheduled. */
export class TimerTask {
  readonly #wheel: TimerWheel;
  readonly #run: (nowMs: number) => void;
  #slot: number | undefined;

  /** Created by a wheel. */
  constructor(wheel: TimerWheel, run: (nowMs: number) => void) {
    this.#wheel = wheel;
    this.#run = run;
  }

  /** Schedules it, in place of an earlier schedule. See `TimerWheel.at`. */
  at(dueMs: number): void {
    this.#slot = this.#wheel.put(this, dueMs);
  }

  /** Cancels it; does nothing when it is not scheduled. */
  cancel(): void {
    this.#slot = undefined;
  }

  /** True while it is scheduled. */
  get asked(): boolean {
    return this.#slot !== undefined;
  }

  /** @internal True when it is scheduled for that slot. */
  waitsFor(slot: number): boolean {
    return this.#slot === slot;
  }

  /** @internal For the wheel: runs it, unless it was cancelled or rescheduled. */
  turn(slot: number, nowMs: number): void {
    if (this.#slot !== slot) return;
    this.#slot = undefined;
    this.#run(nowMs);
  }
}

/**
 * One timer for all agents. Time is divided into slots of a few milliseconds, and everything due in a slot
 * runs in one wake-up, so a thousand streams need one timer. Slots are at absolute multiples of the monotonic
 * clock, so nothing drifts; a late wake-up runs everything overdue, each task once.
 */
export class TimerWheel {
  readonly slotMs: number;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #slots = new Map<number, TimerTask[]>();
  /** Slots that may have tasks, in order. */
  readonly #order: number[] = [];
  #timer: Timer | undefined;
  #armedSlot = Infinity;
  #latenessMs: ((latenessMs: number) => void) | undefined;

  /**
   * @param options.slotMs width of a slot, in ms
   * @param options.onError called when a task throws; the other tasks still run
   */
  constructor(
    clock: Clock,
    options: { slotMs?: number | undefined; onError?: ((error: unknown) => void) | undefined } = {},
  ) {
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

  /** Calls `observer` at every wake-up with its lateness, in ms. */
  observeLateness(observer: ((latenessMs: number) => void) | undefined): void {
    this.#latenessMs = observer;
  }

  /** Returns the first slot boundary at or after `timeMs`. */
  align(timeMs: number): number {
    return Math.ceil(timeMs / this.slotMs) * this.slotMs;
  }

  /**
   * Runs `task` in the first slot at or after `dueMs` (monotonic); an overdue task runs at the next wake-up.
   */
  at(dueMs: number, run: (nowMs: number) => void): TimerTask {
    const task = this.task(run);
    task.at(dueMs);
    return task;
  }

  /** Creates a task that can be scheduled repeatedly. */
  task(run: (nowMs: number) => void): TimerTask {
    return new TimerTask(this, run);
  }

  /** @internal See `TimerTask.at`. @returns its slot */
  put(task: TimerTask, dueMs: number): number {
    // The tolerance keeps a time that is a slot boundary, except for rounding, in that slot.
    const slot = Math.ceil(dueMs / this.slotMs - 1e-6);
    const tasks = this.#slots.get(slot);
    if (tasks) tasks.push(task);
    else this.#open(slot, task);
    if (slot < this.#armedSlot) this.#arm(slot);
    return slot;
  }

  #open(slot: number, task: TimerTask): void {
    this.#slots.set(slot, [task]);
    const before = this.#order.findLastIndex((other) => other < slot);
    this.#order.splice(before + 1, 0, slot);
  }

  #arm(slot: number): void {
    this.#timer?.cancel();
    this.#armedSlot = slot;
    this.#timer = this.#clock.after(slot * this.slotMs - this.#clock.nowMs(), () => this.#wake());
  }

  #wake(): void {
    const nowMs = this.#clock.nowMs();
    this.#latenessMs?.(Math.max(0, nowMs - this.#armedSlot * this.slotMs));
    // One timer is set after all tasks have run, whatever they schedule meanwhile.
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
    const later = this.#order.findIndex((slot) => slot > current);
    for (const slot of this.#order.splice(0, later < 0 ? this.#order.length : later)) {
      const tasks = this.#slots.get(slot)!;
      this.#slots.delete(slot);
      for (const task of tasks) {
        try {
          task.turn(slot, nowMs);
        } catch (error) {
          this.#onError(error);
        }
      }
    }
  }

  /** Returns the first slot with tasks left; earlier slots whose tasks were all cancelled are removed. */
  #nextSlot(): number | undefined {
    for (;;) {
      const slot = this.#order[0];
      if (slot === undefined || this.#slots.get(slot)!.some((task) => task.waitsFor(slot))) return slot;
      this.#slots.delete(slot);
      this.#order.shift();
    }
  }
}

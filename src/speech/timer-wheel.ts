import type { Clock, Timer } from '../base/clock.js';

/** Work for the wheel: it runs once for each time it is asked for. */
export class TimerTask {
  readonly #wheel: TimerWheel;
  readonly #run: (nowMs: number) => void;
  #slot: number | undefined;

  /** Made by a wheel. */
  constructor(wheel: TimerWheel, run: (nowMs: number) => void) {
    this.#wheel = wheel;
    this.#run = run;
  }

  /** Asks for it at a moment, in the place of the one it was asked for before. See `TimerWheel.at`. */
  at(dueMs: number): void {
    this.#slot = this.#wheel.put(this, dueMs);
  }

  /** Calls it off; where it was not asked for, or has run, this does nothing. */
  cancel(): void {
    this.#slot = undefined;
  }

  /** True while it is asked for and has not run. */
  get asked(): boolean {
    return this.#slot !== undefined;
  }

  /** @internal True while it is to run in that slot. */
  waitsFor(slot: number): boolean {
    return this.#slot === slot;
  }

  /** @internal The wheel's: runs it, unless it was called off or asked for at another moment. */
  turn(slot: number, nowMs: number): void {
    if (this.#slot !== slot) return;
    this.#slot = undefined;
    this.#run(nowMs);
  }
}

/**
 * One timer for all agents. Time is cut into slots of a few milliseconds and everything due in a slot runs in one
 * wake-up, so a thousand streams cost one timer, not a thousand. Slots stand at absolute multiples of the monotonic
 * clock: nothing drifts, and a late wake-up runs all that is overdue, each task once.
 */
export class TimerWheel {
  readonly slotMs: number;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #slots = new Map<number, TimerTask[]>();
  /** The slots in which there may be something to do, in order. */
  readonly #order: number[] = [];
  #timer: Timer | undefined;
  #armedSlot = Infinity;
  #latenessMs: ((latenessMs: number) => void) | undefined;

  /**
   * @param options.slotMs width of a slot, in ms
   * @param options.onError is told when a task throws; the other tasks still run
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

  /** Tells `observer` at every wake-up how late it was, in ms. */
  observeLateness(observer: ((latenessMs: number) => void) | undefined): void {
    this.#latenessMs = observer;
  }

  /** The first slot boundary at or after `timeMs`. */
  align(timeMs: number): number {
    return Math.ceil(timeMs / this.slotMs) * this.slotMs;
  }

  /** Runs `task` in the first slot at or after `dueMs` (monotonic); what is already due runs at the next wake-up. */
  at(dueMs: number, run: (nowMs: number) => void): TimerTask {
    const task = this.task(run);
    task.at(dueMs);
    return task;
  }

  /** Work that is asked for time and again. */
  task(run: (nowMs: number) => void): TimerTask {
    return new TimerTask(this, run);
  }

  /** @internal See `TimerTask.at`. @returns its slot */
  put(task: TimerTask, dueMs: number): number {
    // A hair of tolerance keeps a due time that is a slot boundary but for rounding in that slot.
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

  /** The first slot in which something is left to do; those before it, in which all was called off, are forgotten. */
  #nextSlot(): number | undefined {
    for (;;) {
      const slot = this.#order[0];
      if (slot === undefined || this.#slots.get(slot)!.some((task) => task.waitsFor(slot))) return slot;
      this.#slots.delete(slot);
      this.#order.shift();
    }
  }
}

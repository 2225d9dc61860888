import type { Cue } from './cues.js';
import type { Outlet } from './outlet.js';
import type { Run } from './run.js';
import type { FrameSink } from './sink.js';
import type { Wheel, WheelTask } from './wheel.js';

/**
 * Sends the cues of all runs that sound, each when its sample is due. A command acts about as long after its sending
 * as a sample sounds after its turn (protocol.md §4), so the moment is that of the played position, a lead after the
 * frame left.
 */
export class CueSender {
  readonly #outlet: Outlet;
  readonly #wheel: Wheel;
  readonly #sink: FrameSink;
  readonly #active: () => readonly Run[];
  #task: WheelTask | undefined;

  /** @param active the runs that sound now, in order */
  constructor(outlet: Outlet, wheel: Wheel, sink: FrameSink, active: () => readonly Run[]) {
    this.#outlet = outlet;
    this.#wheel = wheel;
    this.#sink = sink;
    this.#active = active;
  }

  /** Sends what is due at `nowMs`, then waits for the next. */
  send(nowMs: number): void {
    const played = this.#outlet.schedule.playedSamples(nowMs);
    for (const run of this.#active()) {
      if (!run.begun || run.cues.size === 0) continue;
      // One sample of tolerance: times and samples do not divide evenly.
      for (const cue of run.cues.takeDue(run.fromSchedule(played) + 1)) this.#sendOne(run, cue);
    }
    this.arm();
  }

  /** Asks the wheel for the next cue's moment. Cheap when there is none. */
  arm(): void {
    let dueMs = Infinity;
    const { schedule } = this.#outlet;
    for (const run of this.#active()) {
      const sample = run.cues.nextSample;
      if (sample === undefined || !run.begun) continue;
      const at = run.toSchedule(sample);
      // Beyond what was sent the moment is not known yet: the next frame asks again.
      if (at <= schedule.sentSamples) dueMs = Math.min(dueMs, schedule.timeOf(at));
    }
    this.#task?.cancel();
    this.#task = dueMs === Infinity ? undefined : this.#wheel.at(dueMs, (nowMs) => this.send(nowMs));
  }

  /** The run was heard to its end: its last cues are due, whatever rounding says. */
  finish(run: Run): void {
    for (const cue of run.cues.takeAll()) this.#sendOne(run, cue);
  }

  /** The run ended early: its cues are dropped and counted, but for those marked `always`. */
  drop(run: Run): void {
    for (const cue of run.cues.takeAll()) {
      if (cue.always) this.#sendOne(run, cue);
      else run.cuesDropped += 1;
    }
  }

  close(): void {
    this.#task?.cancel();
  }

  #sendOne(run: Run, cue: Cue): void {
    this.#sink.command(cue.send);
    run.cuesSent += 1;
    run.speech.tell('cue', cue);
  }
}

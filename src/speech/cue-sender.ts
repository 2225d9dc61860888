import type { Cue, Notice } from './cues.js';
import type { ActiveSpeech } from './active-speech.js';
import type { PlayerContext } from './player-context.js';
import type { TimerTask } from './timer-wheel.js';

/**
 * Sends the cues of all runs that sound, each when its sample is due. A command acts about as long after its sending
 * as a sample sounds after its turn (protocol.md §4), so the moment is that of the played position, a lead after the
 * frame left.
 */
export class CueSender {
  readonly #context: Pick<PlayerContext, 'playback' | 'sink'>;
  readonly #active: () => readonly ActiveSpeech[];
  readonly #task: TimerTask;

  /** @param active the runs that sound now, in order */
  constructor(
    context: Pick<PlayerContext, 'playback' | 'sink' | 'wheel'>,
    active: () => readonly ActiveSpeech[],
  ) {
    this.#context = context;
    this.#active = active;
    this.#task = context.wheel.task((nowMs) => this.send(nowMs));
  }

  /** Sends what is due at `nowMs`, then waits for the next. */
  send(nowMs: number): void {
    const played = this.#context.playback.schedule.playedSamples(nowMs);
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
    const { schedule } = this.#context.playback;
    for (const run of this.#active()) {
      const sample = run.cues.nextSample;
      if (sample === undefined || !run.begun) continue;
      const at = run.toSchedule(sample);
      // Beyond what was sent the moment is not known yet: the next frame asks again.
      if (at <= schedule.sentSamples) dueMs = Math.min(dueMs, schedule.timeOf(at));
    }
    if (dueMs === Infinity) this.#task.cancel();
    else this.#task.at(dueMs);
  }

  /** The run was heard to its end: its last cues are due, whatever rounding says. */
  finish(run: ActiveSpeech): void {
    for (const cue of run.cues.takeAll()) this.#sendOne(run, cue);
  }

  /** The run ended early: its cues are dropped and counted, but for those marked `always`. */
  drop(run: ActiveSpeech): void {
    for (const cue of run.cues.takeAll()) {
      if ('notify' in cue) continue;
      if (cue.always) this.#sendOne(run, cue);
      else run.cuesDropped += 1;
    }
  }

  close(): void {
    this.#task.cancel();
  }

  #sendOne(run: ActiveSpeech, cue: Cue | Notice): void {
    sendCue(this.#context.sink, run, cue);
  }
}

/** Sends one cue of a run, and counts it; of a notice, tells that its moment is heard. */
export function sendCue(sink: PlayerContext['sink'], run: ActiveSpeech, cue: Cue | Notice): void {
  if ('notify' in cue) return cue.notify();
  sink.command(cue.send);
  run.cuesSent += 1;
  run.speech.tell('cue', cue);
}

import type { Cue, Notice } from './cues.js';
import type { ActiveSpeech } from './active-speech.js';
import type { PlayerContext } from './player-context.js';
import type { TimerTask } from './timer-wheel.js';

/**
 * Sends the cues of all active runs, each when its sample is due. A command takes effect about as long after
 * its sending as a sample sounds after its turn (protocol.md §4). So a cue is sent when its sample is played,
 * one lead after its frame was sent.
 */
export class CueSender {
  readonly #context: Pick<PlayerContext, 'playback' | 'sink'>;
  readonly #active: () => readonly ActiveSpeech[];
  readonly #task: TimerTask;

  /** @param active returns the runs that sound now, in order */
  constructor(
    context: Pick<PlayerContext, 'playback' | 'sink' | 'wheel'>,
    active: () => readonly ActiveSpeech[],
  ) {
    this.#context = context;
    this.#active = active;
    this.#task = context.wheel.task((nowMs) => this.send(nowMs));
  }

  /** Sends the cues due at `nowMs` and schedules the next. */
  send(nowMs: number): void {
    const played = this.#context.playback.schedule.playedSamples(nowMs);
    for (const run of this.#active()) {
      if (!run.begun || run.cues.size === 0) continue;
      // One sample of tolerance, because times and samples do not divide evenly.
      for (const cue of run.cues.takeDue(run.fromSchedule(played) + 1)) this.#sendOne(run, cue);
    }
    this.arm();
  }

  /** Schedules the next cue on the timer wheel. Cheap when there is none. */
  arm(): void {
    let dueMs = Infinity;
    const { schedule } = this.#context.playback;
    for (const run of this.#active()) {
      const sample = run.cues.nextSample;
      if (sample === undefined || !run.begun) continue;
      const at = run.toSchedule(sample);
      // The time of samples not yet sent is unknown; the next frame schedules their cues.
      if (at <= schedule.sentSamples) dueMs = Math.min(dueMs, schedule.timeOf(at));
    }
    if (dueMs === Infinity) this.#task.cancel();
    else this.#task.at(dueMs);
  }

  /** Sends the remaining cues of a run that was heard to its end, whatever the rounding. */
  finish(run: ActiveSpeech): void {
    for (const cue of run.cues.takeAll()) this.#sendOne(run, cue);
  }

  /** Drops the cues of a run that ended early and counts them; cues marked `always` are sent. */
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

/** Sends and counts a cue of a run, or notifies the owner of a notice. */
export function sendCue(sink: PlayerContext['sink'], run: ActiveSpeech, cue: Cue | Notice): void {
  if ('notify' in cue) return cue.notify();
  sink.command(cue.send);
  run.cuesSent += 1;
  run.speech.tell('cue', cue);
}

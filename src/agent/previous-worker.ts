import type { Interruption } from '../speech/player-options.js';
import type { AgentSnapshot } from './snapshot.js';

/** Another process that still speaks with an agent which is on its way here. */
export interface PreviousWorker {
  /** What it last told of the agent; nothing before it has. */
  readonly snapshot: AgentSnapshot | undefined;
  /** Ends what it speaks and drops what waits there. @returns what was heard, as soon as it is known */
  interrupt(options?: { fadeMs?: number }): Promise<Interruption>;
  /** Stops one of its speeches. @param id as in `snapshot` */
  stop(id: string, fadeMs?: number): void;
  pause(): void;
  resume(): void;
  volume(gainDb: number): void;
  send(line: string): void;
}

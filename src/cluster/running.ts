import type { BridgeError } from '../base/errors.js';
import { eventTime, type ServiceEventJson } from '../service/events.js';
import { toProblem } from '../service/problem.js';
import { failedEnd } from './answers.js';

type Ended = Extract<ServiceEventJson, { type: 'ended' }>;

interface Running {
  readonly agent: string;
  readonly label: string;
  positionMs: number;
  durationMs: number | null;
}

/**
 * Unfinished speeches of other nodes, as known by their events: when the connection is lost, the end of each is reported
 * here.
 */
export class RunningSpeeches {
  readonly #speeches = new Map<string, Running>();
  readonly #maxSpeeches: number;

  /** @param maxSpeeches maximum number of tracked speeches */
  constructor(maxSpeeches: number) {
    this.#maxSpeeches = maxSpeeches;
  }

  /** Updates the speeches from an event. */
  hear(event: Partial<ServiceEventJson>): void {
    if (!('speech' in event) || typeof event.speech !== 'string') return;
    switch (event.type) {
      case 'accepted':
      case 'state':
        if (this.#speeches.has(event.speech) || this.#speeches.size >= this.#maxSpeeches) return;
        this.#speeches.set(event.speech, {
          agent: event.agent!,
          label: event.label!,
          positionMs: 0,
          durationMs: null,
        });
        return;
      case 'position': {
        const running = this.#speeches.get(event.speech);
        if (running) Object.assign(running, { positionMs: event.positionMs, durationMs: event.durationMs });
        return;
      }
      case 'ended':
        this.#speeches.delete(event.speech);
    }
  }

  /** Ends all tracked speeches, and returns their ends. */
  endAll(error: BridgeError): Ended[] {
    const ends = [...this.#speeches].map(([speech, { agent, label, positionMs, durationMs }]): Ended => ({
      type: 'ended',
      time: eventTime(),
      agent,
      speech,
      label,
      ...failedEnd(toProblem(error), positionMs, durationMs),
    }));
    this.#speeches.clear();
    return ends;
  }
}

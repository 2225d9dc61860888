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
 * Speeches of other nodes that have begun and not ended, as far as their events tell: when the connection is lost, each
 * one's end is told here.
 */
export class RunningSpeeches {
  readonly #speeches = new Map<string, Running>();
  readonly #maxSpeeches: number;

  /** @param maxSpeeches how many are remembered */
  constructor(maxSpeeches: number) {
    this.#maxSpeeches = maxSpeeches;
  }

  /** Takes an event. */
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

  /** The end of each that runs; none runs after that. */
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

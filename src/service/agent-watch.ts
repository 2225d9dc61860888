import type { Agent } from '../agent/agent.js';
import type { BridgeHandle } from '../bridge.js';
import type { Speech } from '../speech/speech.js';
import { acceptedEvent, followAgent, followPosition, followSpeech } from './events.js';
import { EventHub } from './event-hub.js';
import { followPeaks } from './peaks.js';
import { tellVitals } from './vitals.js';

/**
 * Turns the events of a bridge into events of a hub. Positions are read only while there are followers, peaks and vitals
 * only while a follower shows meters: a thousand speaking avatars without followers cost nothing.
 * @param options.keptEvents see `EventHub`
 */
export function watchBridge(bridge: BridgeHandle, options: { keptEvents: number }): EventHub {
  const speeches = new Map<Speech, { position: Wanted; peaks: Wanted }>();
  const hub = new EventHub({
    keptEvents: options.keptEvents,
    // Higher than every id of an earlier run, at up to a thousand events a millisecond.
    firstId: Date.now() * 1000,
    onCount: () => {
      for (const { position, peaks } of speeches.values()) {
        position.when(hub.size > 0);
        peaks.when(hub.metered > 0);
      }
      vitals.when(hub.metered > 0);
    },
  });
  const vitals = new Wanted(() => tellVitals(bridge, (event) => hub.passMeter(event)));

  const watch = (agent: Agent): void => {
    const { name } = agent;
    followAgent(agent, (event) => hub.publish(event));
    agent.on('speech', (speech) => {
      hub.publish(acceptedEvent(name, speech));
      const position = new Wanted(() => followPosition(name, speech, (event) => hub.pass(event)));
      const peaks = new Wanted(() => followPeaks(name, speech, (event) => hub.passMeter(event)));
      position.when(hub.size > 0);
      peaks.when(hub.metered > 0);
      speeches.set(speech, { position, peaks });
      followSpeech(name, speech, (event) => {
        hub.publish(event);
        if (event.type === 'ended') speeches.delete(speech);
      });
    });
  };
  bridge.agents().forEach(watch);
  bridge.on('agent', watch);
  return hub;
}

/** A task that runs only while it is needed. */
class Wanted {
  readonly #begin: () => () => void;
  #end: (() => void) | undefined;

  /** @param begin starts the task, and returns a function that ends it */
  constructor(begin: () => () => void) {
    this.#begin = begin;
  }

  /** Starts or ends the task as needed. */
  when(wanted: boolean): void {
    if (wanted) this.#end ??= this.#begin();
    else {
      this.#end?.();
      this.#end = undefined;
    }
  }
}

import type { Agent } from '../agent/agent.js';
import type { Bridge } from '../bridge.js';
import type { Speech } from '../speech/speech.js';
import { acceptedEvent, followAgent, followPosition, followSpeech } from './events.js';
import { EventHub } from './event-hub.js';

/**
 * Turns what happens in a bridge into the events of a hub. Positions are asked for only while somebody follows: a
 * thousand speaking avatars nobody watches cost nothing.
 * @param options.keptEvents see `EventHub`
 */
export function watchBridge(bridge: Bridge, options: { keptEvents: number }): EventHub {
  const speeches = new Map<Speech, { agent: string; off: (() => void) | undefined }>();
  const hub = new EventHub({
    keptEvents: options.keptEvents,
    // Above every id of an earlier run, at up to a thousand events a millisecond.
    firstId: Date.now() * 1000,
    onCount: (followers) => {
      for (const [speech, followed] of speeches) {
        if (followers > 0) followed.off ??= position(followed.agent, speech);
        else {
          followed.off?.();
          followed.off = undefined;
        }
      }
    },
  });
  const position = (agent: string, speech: Speech): (() => void) =>
    followPosition(agent, speech, (event) => hub.pass(event));

  const watch = (agent: Agent): void => {
    followAgent(agent, (event) => hub.publish(event));
    agent.on('speech', (speech) => {
      hub.publish(acceptedEvent(agent.name, speech));
      speeches.set(speech, {
        agent: agent.name,
        off: hub.size > 0 ? position(agent.name, speech) : undefined,
      });
      followSpeech(agent.name, speech, (event) => {
        hub.publish(event);
        if (event.type === 'ended') speeches.delete(speech);
      });
    });
  };
  bridge.agents().forEach(watch);
  bridge.on('agent', watch);
  return hub;
}

import type { BridgeError } from '../base/errors.js';
import type { GapCause, Speech } from '../speech/speech.js';
import type { EventName, EventValues } from './messages.js';
import type { AgentMessage } from './wire.js';

/**
 * Typed events of the avatar itself, one for each event of the catalogue: `recognised` when it has recognised speech,
 * `key`, `motion-added` and so on.
 */
export type AvatarEvents = { [Kind in EventName]: EventValues<Kind> };

/** The events of an agent: its own, and those of its avatar. */
export interface AgentEvents extends AvatarEvents {
  connected: { remote: string };
  /** The agent's model is loaded and can speak. */
  ready: { model: string; afterMs: number };
  /** The agent's model was not loaded in time. */
  'not-ready': BridgeError;
  /** The connection is lost. With the code RESTARTING, it continues in the service's next process. */
  lost: BridgeError;
  /** A message of the agent, including echoes of our commands. */
  message: AgentMessage;
  /** A text command was sent to the agent. `relayed` is true when it came from a program that uses the bridge as the avatar. */
  command: { readonly line: string; readonly relayed: boolean };
  /** A program that uses the bridge as this avatar: it connected, left, or sent something that was refused. */
  relay: {
    readonly program: string;
    readonly state: 'connected' | 'left' | 'refused';
    readonly reason: string | undefined;
  };
  /** A speech was accepted. */
  speech: Speech;
  gap: { speech: Speech; lengthMs: number; cause: GapCause };
  /** The connection was taken over from another process, and nothing has been received on it since. */
  unanswered: { remote: string };
  /** True when the agent has stopped reading, false when it reads again. */
  stalled: boolean;
}

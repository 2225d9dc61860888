import type { BridgeError } from '../base/errors.js';
import type { GapCause, Speech } from '../speech/speech.js';
import type { EventName, EventValues } from './messages.js';
import type { AgentMessage } from './wire.js';

/**
 * What the avatar itself tells, typed: `recognised` when it has understood somebody, `key`, `motion-added` and all the
 * rest of the catalogue's events.
 */
export type AvatarEvents = { [Kind in EventName]: EventValues<Kind> };

/** The events of an agent: its own, and those of its avatar. */
export interface AgentEvents extends AvatarEvents {
  connected: { remote: string };
  /** Its model is loaded and can speak. */
  ready: { model: string; afterMs: number };
  /** Its model has not come in time. */
  'not-ready': BridgeError;
  /** Its connection is gone; with the code RESTARTING it lives on in the service's next process. */
  lost: BridgeError;
  /** A message of the agent, its echoes of our commands among them. */
  message: AgentMessage;
  /** A text command left for it. `relayed` is true for one of a program that takes the bridge for the avatar. */
  command: { readonly line: string; readonly relayed: boolean };
  /** A program that takes the bridge for this avatar came, left, or sent what was not passed on. */
  relay: {
    readonly program: string;
    readonly state: 'connected' | 'left' | 'refused';
    readonly reason: string | undefined;
  };
  /** A speech was taken on. */
  speech: Speech;
  gap: { speech: Speech; lengthMs: number; cause: GapCause };
  /** Its connection was taken over from another process, and nothing has come from it since. */
  unanswered: { remote: string };
  /** It has stopped reading (true), or reads again. */
  stalled: boolean;
}

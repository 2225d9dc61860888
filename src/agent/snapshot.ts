import type { Speech } from '../speech/speech.js';
import type { RoundTrip } from './connection.js';

/** Whether an agent is there, and can speak. */
export type AgentState = 'absent' | 'connected' | 'ready';

/** What an agent is doing, as plain data. */
export interface AgentSnapshot {
  readonly name: string;
  readonly state: AgentState;
  /** True during a planned restart, while its connection is still with the previous process. */
  readonly handover: boolean;
  readonly model: string;
  readonly remote: string | undefined;
  /** Over TCP, positions follow the clock between the avatar's acknowledgements, which come about once a second. */
  readonly transport: 'websocket' | 'tcp' | undefined;
  readonly connectedMs: number | undefined;
  readonly speaking: boolean;
  readonly paused: boolean;
  readonly stalled: boolean;
  readonly heldMs: number;
  readonly leadMs: number;
  /** Its level, in dB; 0 is unchanged. */
  readonly gainDb: number;
  readonly roundTrip: RoundTrip | undefined;
  readonly speeches: readonly SpeechSnapshot[];
}

/** A speech as plain data. */
export interface SpeechSnapshot {
  readonly id: string;
  readonly label: string;
  readonly state: string;
  /** Reason why it has not begun, where something is to be done about it, as a sentence. */
  readonly waiting: string | undefined;
  readonly positionMs: number;
  readonly durationMs: number | undefined;
}

/** A speech as it stands now. */
export function speechSnapshot(speech: Speech): SpeechSnapshot {
  const { id, label, state, waiting, position } = speech;
  return { id, label, state, waiting, positionMs: position.positionMs, durationMs: position.durationMs };
}

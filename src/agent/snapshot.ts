import type { Speech } from '../speech/speech.js';
import type { RoundTrip } from './connection.js';

/** Whether an agent is there, and can speak. */
export type AgentState = 'absent' | 'connected' | 'ready';

/** A program that takes the bridge for the avatar, as plain data. */
export interface RelayedProgramSnapshot {
  /** Its address, or the address that the bridge connected to. */
  readonly name: string;
  readonly connectedMs: number;
  readonly speaking: boolean;
  /** Speeches that its sound became. */
  readonly speeches: number;
  /** Commands and sounds that were not passed on. */
  readonly refused: number;
  /** Sound of it that was dropped, because its speech was ended by somebody else. */
  readonly droppedMs: number;
  /** Messages of the avatar that were dropped because it read too slowly. */
  readonly droppedLines: number;
}

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
  /** True when nothing has come since its connection was taken over from another process: its speeches wait. */
  readonly unanswered: boolean;
  readonly heldMs: number;
  readonly leadMs: number;
  /** Its level, in dB; 0 is unchanged. */
  readonly gainDb: number;
  readonly roundTrip: RoundTrip | undefined;
  readonly speeches: readonly SpeechSnapshot[];
  /** Programs that take the bridge for this avatar. */
  readonly relayed: readonly RelayedProgramSnapshot[];
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

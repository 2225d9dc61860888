import type { Speech } from '../speech/speech.js';
import type { RoundTrip } from './connection.js';

/** Connection state of an agent. */
export type AgentState = 'absent' | 'connected' | 'ready';

/** A program that uses the bridge as the avatar, as plain data. */
export interface RelayedProgramSnapshot {
  /** Its address, or the address that the bridge connected to. */
  readonly name: string;
  readonly connectedMs: number;
  readonly speaking: boolean;
  /** Speeches made from its sound. */
  readonly speeches: number;
  /** Commands and sounds that were refused. */
  readonly refused: number;
  /** Dropped sound, in ms, because another caller ended its speech. */
  readonly droppedMs: number;
  /** Messages of the avatar that were dropped because the program read too slowly. */
  readonly droppedLines: number;
}

/** Current state of an agent, as plain data. */
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
  /** True when nothing has been received since its connection was taken over from another process: its speeches wait. */
  readonly unanswered: boolean;
  readonly heldMs: number;
  readonly leadMs: number;
  /** Gain, in dB; 0 is unchanged. */
  readonly gainDb: number;
  readonly roundTrip: RoundTrip | undefined;
  readonly speeches: readonly SpeechSnapshot[];
  /** Programs that use the bridge as this avatar. */
  readonly relayed: readonly RelayedProgramSnapshot[];
}

/** A speech as plain data. */
export interface SpeechSnapshot {
  readonly id: string;
  readonly label: string;
  readonly state: string;
  /** Reason why it has not begun, as a sentence, when the user can do something about it. */
  readonly waiting: string | undefined;
  readonly positionMs: number;
  readonly durationMs: number | undefined;
}

/** Returns the current state of a speech. */
export function speechSnapshot(speech: Speech): SpeechSnapshot {
  const { id, label, state, waiting, position } = speech;
  return { id, label, state, waiting, positionMs: position.positionMs, durationMs: position.durationMs };
}

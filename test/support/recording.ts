import { readFileSync } from 'node:fs';
import { inProject } from './paths.js';

/** One event of the recording of the real program (protocol.md §8). */
export interface RecordedEvent {
  /** Milliseconds since the upgrade. */
  ms: number;
  dir: 'upgrade' | 'from agent' | 'to agent' | 'ping' | 'pong';
  text?: string;
  payload?: string;
}

/** The recording of a cold start of the real program, in order; that with its log in place of its messages is shortened. */
export function realAgentRecording(name: 'real-agent' | 'real-agent-alllog' = 'real-agent'): RecordedEvent[] {
  return readFileSync(inProject(`test/support/recordings/${name}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RecordedEvent);
}

/** The lines that went one way in the recording, with their newlines. */
export function recordedTexts(dir: 'from agent' | 'to agent'): string[] {
  return realAgentRecording().flatMap((event) => (event.dir === dir && event.text ? [event.text] : []));
}

import type { SpeechEventJson } from '../service/events.js';
import type { LatencyJson, SpeechEndJson } from '../service/schemas.js';
import { printable, seconds } from './terminal.js';

const BAR_CELLS = 24;

/** True when `--agent` names several agents; lines then include the agent's name. */
export function isSeveral(agent: string): boolean {
  return agent === 'all' || agent.includes(',');
}

/** Returns a speech's name in lines. @param asked the command's `--agent` */
export function speechName(asked: string, label: string, event: { readonly agent: string }): string {
  return isSeveral(asked) ? `${event.agent}: ${label}` : label;
}

/** Returns a speech's event as a line of text; undefined for events that are not shown. */
export function speechLine(label: string, event: SpeechEventJson): string | undefined {
  const name = printable(label);
  switch (event.type) {
    case 'waiting':
      return `${name}: ${lowerFirst(printable(event.message))}`;
    case 'info':
      return infoLine(label, event);
    case 'state':
      return event.state === 'speaking'
        ? `${name}: speaking`
        : event.state === 'paused'
          ? `${name}: paused`
          : undefined;
    case 'warning':
      return `${name}: warning: ${printable(event.message)}`;
    case 'cue':
      return `${name}: cue at ${seconds(event.atMs)}: ${printable(event.send)}`;
    case 'ended':
      return `${name}: ${endLine(event)}`;
    case 'accepted':
    case 'sentence':
    case 'sent':
    case 'position':
      return undefined;
  }
}

/** Returns the format of a sound: `hello.wav: WAV, 16-bit PCM, 16000 Hz, mono, 0.50 s`. */
export function infoLine(
  label: string,
  info: { format: string; sampleRateHz: number; channels: number; durationMs?: number | null | undefined },
): string {
  const { format, sampleRateHz, channels, durationMs } = info;
  const how = channels === 1 ? 'mono' : channels === 2 ? 'stereo' : `${channels} channels`;
  const length = durationMs === null || durationMs === undefined ? '' : `, ${seconds(durationMs)}`;
  return `${printable(label)}: ${printable(format)}, ${sampleRateHz} Hz, ${how}${length}`;
}

/** Returns the result of a speech: `heard 4.41 s of 4.41 s, no gaps`. */
export function endLine(end: SpeechEndJson): string {
  if (end.how === 'failed' && end.heardMs === 0) return 'failed';
  const whole = end.durationMs === null ? '' : ` of ${seconds(end.durationMs)}`;
  const heard = `heard ${seconds(end.heardMs)}${whole}`;
  const { count, totalMs } = end.gaps;
  const gaps =
    count === 0 ? 'no gaps' : `${count} gap${count === 1 ? '' : 's'} of ${seconds(totalMs)} in all`;
  const notes = [
    heard,
    gaps,
    ...(end.latency ? [latencyWords(end.latency)] : []),
    ...(end.droppedMs > 0 ? [`${seconds(end.droppedMs)} of live sound dropped`] : []),
    ...(end.cuesSent + end.cuesDropped > 0 ? [`${end.cuesSent} cues sent`] : []),
    ...(end.cuesDropped > 0 ? [`${end.cuesDropped} not sent`] : []),
  ].join(', ');
  switch (end.how) {
    case 'completed':
      return `finished: ${notes}`;
    case 'stopped':
      return `stopped: ${notes}`;
    case 'failed':
      return `failed: ${notes}`;
    case 'avatar-lost':
      return `broke off: ${notes}`;
  }
}

/** Returns the latency of live sound up to the avatar's connection: `capture to wire 64 ms, at most 81 ms`. */
export function latencyWords({ from, p50Ms, maxMs }: LatencyJson): string {
  return `${from} to wire ${Math.round(p50Ms)} ms, at most ${Math.round(maxMs)} ms`;
}

/** Returns a progress line: bar, position, length, the avatar's unplayed audio, and the lead. */
export function progressLine(
  label: string,
  position: { positionMs: number; durationMs: number | null; heldMs: number },
  leadMs: number | undefined,
): string {
  const { positionMs, durationMs, heldMs } = position;
  const share = durationMs === null || durationMs <= 0 ? undefined : Math.min(1, positionMs / durationMs);
  const bar =
    share === undefined ? '' : `[${'#'.repeat(Math.round(share * BAR_CELLS)).padEnd(BAR_CELLS, '.')}] `;
  const whole = durationMs === null ? '' : ` / ${seconds(durationMs)}`;
  const lead = leadMs === undefined ? '' : ` (lead ${leadMs})`;
  return `${printable(label)} ${bar}${seconds(positionMs)}${whole}  held ${Math.round(heldMs)} ms${lead}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
